"""Reads a Dockerfile of two stages, and writes its steps as a shell script that does the same in one root folder."""

import json
import re
import shlex
from pathlib import Path

Step = tuple[str, str]


def steps(file: Path) -> list[Step]:
    """Return instruction and argument of each step."""
    text = re.sub(r"^#.*\n", "", file.read_text(), flags=re.MULTILINE).replace("\\\n", " ")
    return [(line.split()[0], line.split(maxsplit=1)[1]) for line in text.splitlines() if line.strip()]


def words(argument: str) -> list[str]:
    """Return the command of an ENTRYPOINT or a CMD, in its form of a JSON list."""
    return [str(word) for word in json.loads(argument)]


def script(found: list[Step], context: str) -> str:
    """Return a script of all steps up to USER. Both stages share one root, so copies between them are left out."""
    lines: list[str] = []
    folder = "/"
    for instruction, argument in found:
        if instruction == "WORKDIR":
            folder = argument
            lines.append(f"mkdir -p {shlex.quote(folder)}; cd {shlex.quote(folder)}")
        elif instruction == "COPY" and "--from=" not in argument:
            *sources, target = argument.split()
            lines += [_copied(f"{context}/{source}", target) for source in sources]
        elif instruction == "RUN":
            lines.append(argument)
        elif instruction == "ENV":
            lines.append(f"export {argument}")
        elif instruction == "USER":
            break
        elif instruction == "FROM":
            lines.append("cd /")
    return "\n".join(lines) + "\n"


def _copied(source: str, target: str) -> str:
    """COPY copies a folder's contents, and a file into a folder."""
    if target.endswith("/"):
        return f"cp {source} {target}"
    return f"mkdir -p {target}; cp -R {source}/. {target}"
