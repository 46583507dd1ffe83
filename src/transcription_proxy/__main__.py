"""The entry point of `transcription-proxy`. Ctrl-C ends it without a traceback while everything else is imported."""

import signal


def main() -> None:
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    try:
        from transcription_proxy.cli.main import main as run  # noqa: PLC0415 - see above
    except ModuleNotFoundError as error:
        from transcription_wire.extras import end_without  # noqa: PLC0415 - see above

        end_without("server", "transcription-proxy", error)
    run()


if __name__ == "__main__":
    main()
