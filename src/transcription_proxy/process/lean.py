"""Runs a module without libraries that its own libraries import whenever they are installed, and that it never uses:
`python -m transcription_proxy.process.lean MODULE`. A worker takes 15 MiB less."""

import runpy
import sys
from typing import Any, Final

UNUSED: Final = ("cryptography", "requests", "rich")
"""Optional to pyjwt (we sign with HS256), stripe (we use httpx) and structlog (our tracebacks are plain)."""


def main() -> None:
    """Run the module that the first argument names, with the arguments after it."""
    modules: dict[str, Any] = sys.modules
    modules.update(dict.fromkeys(UNUSED))  # importing a module that is None raises ModuleNotFoundError
    sys.argv.pop(0)
    runpy.run_module(sys.argv[0], run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
