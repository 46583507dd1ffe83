"""Captions in files: what each form looks like, and that a file is written whole or left as it was."""

import json
import os
from pathlib import Path

import pytest

from transcription_client import output
from transcription_client.errors import ClientError
from transcription_client.output import File, Record, Segment

LONG = "It was the best of times, it was the worst of times, it was the age of wisdom, it was the age of foolishness."


def record(*files: File) -> Record:
    made = Record(files)
    made.add(62.5, 64.0, "second\x1b[2J  words")
    made.add(1.0, 2.25, "first")
    made.add(3.0, 4.0, " ")
    return made


def written(path: Path) -> str:
    record(File(path, output.by_extension(path))).write(complete=True)
    return path.read_text()


def test_subtitles_are_numbered_in_order_of_time(tmp_path: Path) -> None:
    assert written(tmp_path / "talk.SRT") == (
        "1\n00:00:01,000 --> 00:00:02,250\nfirst\n\n2\n00:01:02,500 --> 00:01:04,000\nsecond [2J words\n\n"
    )


def test_json_has_the_text_and_the_times(tmp_path: Path) -> None:
    assert json.loads(written(tmp_path / "talk.json")) == {
        "text": "first second [2J words",
        "segments": [
            {"start": 1.0, "end": 2.25, "text": "first"},
            {"start": 62.5, "end": 64.0, "text": "second [2J words"},
        ],
    }


@pytest.mark.parametrize("name", ["talk.txt", "talk", "talk.md"])
def test_any_other_name_is_text(tmp_path: Path, name: str) -> None:
    assert written(tmp_path / name) == "first\nsecond [2J words\n"


def test_a_long_final_becomes_cues_of_two_lines_that_share_its_time() -> None:
    cues = output.as_srt([Segment(3599.0, 3609.0, LONG)]).strip().split("\n\n")
    times, lines = [cue.split("\n")[1] for cue in cues], [cue.split("\n")[2:] for cue in cues]
    assert [len(each) for each in lines] == [2, 1]
    assert max(len(line) for each in lines for line in each) <= output.LINE_LETTERS
    assert " ".join(line for each in lines for line in each) == LONG
    assert times[0].startswith("00:59:59,000 --> 01:00:0")
    assert times[0].split(" --> ")[1] == times[1].split(" --> ")[0]
    assert times[1].endswith("01:00:09,000")


def test_words_cannot_look_like_a_time() -> None:
    assert output.as_srt([Segment(0, 1, "a --> b")]).count("-->") == 1


def test_a_record_without_words_is_written_only_when_all_is_done(tmp_path: Path) -> None:
    path = tmp_path / "talk.srt"
    path.write_text("before")
    Record([File(path, output.as_srt)]).write(complete=False)
    assert path.read_text() == "before"
    Record([File(path, output.as_srt)]).write(complete=True)
    assert path.read_text() == ""


def test_words_before_an_error_are_written(tmp_path: Path) -> None:
    record(File(tmp_path / "talk.txt", output.as_text)).write(complete=False)
    assert (tmp_path / "talk.txt").read_text().startswith("first")


def test_a_file_that_cannot_be_written_is_refused_at_once_and_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "fifo").unlink(missing_ok=True)
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "file").write_text("")
    for place in (tmp_path, tmp_path / "fifo", tmp_path / "none" / "talk.srt", tmp_path / "file" / "talk.srt"):
        with pytest.raises(ClientError, match=r"Can't write .* \(.+\)\. Choose another file\."):
            File(place, output.as_srt)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fifo", "file"]


def test_a_file_behind_a_link_is_replaced_and_nothing_else_is_left(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        (tmp_path / "real.txt").write_text("before")
        (tmp_path / "link.txt").symlink_to("real.txt")
        assert written(tmp_path / "link.txt") == "first\nsecond [2J words\n"
    finally:
        os.umask(before)
    assert (tmp_path / "link.txt").is_symlink()
    assert (tmp_path / "real.txt").stat().st_mode & 0o777 == 0o640
    assert sorted(path.name for path in tmp_path.iterdir()) == ["link.txt", "real.txt"]


def test_a_write_that_fails_at_the_end_leaves_no_draft(tmp_path: Path) -> None:
    file = File(tmp_path / "talk.txt", output.as_text)
    (tmp_path / "talk.txt").mkdir()
    with pytest.raises(ClientError, match="Can't write"):
        record(file).write(complete=True)
    assert [path.name for path in tmp_path.iterdir()] == ["talk.txt"]
