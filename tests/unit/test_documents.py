"""Which lines of a document count as commands."""

from tests.e2e.documents import commands


def test_commands_are_the_lines_of_blocks_without_another_language() -> None:
    text = "a\n```\nmake x   # why\n# only a comment\n```\n```json\n{}\n```\n```text\nout\n```\n  ```sh\n  go\n  ```\n"
    assert list(commands(text)) == ["make x", "go"]
