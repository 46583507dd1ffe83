"""The entry point of `transcription-client`, which lets Ctrl-C end the program silently while modules are imported."""

import signal


def main() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from transcription_client.main import main as run  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        from transcription_wire.extras import end_without  # noqa: PLC0415 - see above

        end_without("desktop", "transcription-client", error)
    run()


if __name__ == "__main__":
    main()
