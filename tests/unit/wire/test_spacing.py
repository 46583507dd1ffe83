"""Where words are joined with a space, and where without one."""

import pytest

from transcription_wire.spacing import gap, join

LINES = [
    (["It", "was", "the", "best"], "It was the best"),
    (["今天", "天气", "很", "好。"], "今天天气很好。"),
    (["今日", "は", "カレー", "を", "食べ", "た", "。"], "今日はカレーを食べた。"),
    (["오늘", "날씨가", "좋네요."], "오늘 날씨가 좋네요."),
    (["วันนี้", "อากาศ", "ดี"], "วันนี้อากาศดี"),
    (["ມື້ນີ້", "ອາກາດ", "ດີ"], "ມື້ນີ້ອາກາດດີ"),
    (["ថ្ងៃនេះ", "អាកាស", "ល្អ"], "ថ្ងៃនេះអាកាសល្អ"),
    (["ယနေ့", "ရာသီဥတု"], "ယနေ့ရာသီဥတု"),
    (["我", "用", "iPhone", "打", "字"], "我用 iPhone 打字"),
    (["好。", "OK"], "好。OK"),
    (["OK", "「", "好", "」"], "OK「好」"),
    (["𠮷", "野家", "𠮷"], "𠮷野家𠮷"),
    (["आज", "मौसम", "अच्छा"], "आज मौसम अच्छा"),
    (["مرحبا", "بكم"], "مرحبا بكم"),
    (["", "a", "", "b"], "a b"),
    ([], ""),
]


@pytest.mark.parametrize(("words", "line"), LINES)
def test_words_are_joined_as_their_script_is_written(words: list[str], line: str) -> None:
    assert join(words) == line


def test_a_gap_is_a_space_between_two_texts_only() -> None:
    assert (gap("", "a"), gap("a", ""), gap("a", "b"), gap("好", "好")) == ("", "", " ", "")
