"""The entry point of `transcription-client`, which lets Ctrl-C end the program silently while modules are imported."""

import signal


def main() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from transcription_client.main import main as run  # noqa: PLC0415 - see above

    run()


if __name__ == "__main__":
    main()
