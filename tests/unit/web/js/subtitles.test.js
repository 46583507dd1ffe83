/** Transcripts as text, SubRip and WebVTT. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { plainText, srt, vtt } from "../../../../src/transcription_proxy/web/static/subtitles.js";

const word = (text, start, speaker) => ({ word: text, start, end: start + 0.5, speaker });
const TWO_SPEAKERS = [
  { text: "hi there you", begin: 0, end: 2.5, words: [word("hi", 0, 0), word("there", 1, 0), word("you", 2, 1)] },
];

test("an empty transcript is empty text, no subtitle, and a header alone", () => {
  assert.deepEqual([plainText([]), srt([]), vtt([])], ["", "", "WEBVTT\n"]);
});

test("SubRip numbers its cues and writes times with a comma", () => {
  const line = { text: "one two", begin: 65.4, end: 3600.25, words: [word("one", 65.4), word("two", 3599.75)] };
  assert.equal(srt([line]), "1\n00:01:05,400 --> 01:00:00,250\none two\n");
});

test("a cue has eight words at most", () => {
  const words = Array.from({ length: 17 }, (_, index) => word(`w${index}`, index));
  const cues = vtt([{ text: "", begin: 0, end: 17, words }]).split("\n").filter((text) => text.startsWith("w"));
  assert.deepEqual(cues.map((cue) => cue.split(" ").length), [8, 8, 1]);
});

test("a cue ends where the speaker changes, and says who speaks", () => {
  assert.match(srt(TWO_SPEAKERS), /\[speaker 0\]\nhi there\n[^]*\[speaker 1\]\nyou\n/);
  assert.match(vtt(TWO_SPEAKERS), /<v Speaker 0>hi there\n[^]*<v Speaker 1>you\n/);
  assert.equal(plainText(TWO_SPEAKERS), "Speaker 0: hi there\nSpeaker 1: you\n");
});

test("words without times share the line's by their letters", () => {
  assert.match(vtt([{ text: "a bbb", begin: 1, end: 5, words: [] }]), /00:00:01\.000 --> 00:00:05\.000\na bbb\n/);
});

test("WebVTT escapes what would be markup", () => {
  assert.match(vtt([{ text: "", begin: 0, end: 1, words: [word("<b>&", 0)] }]), /&lt;b&gt;&amp;\n/);
});

test("punctuation comes from the engine's own spelling", () => {
  const words = [{ ...word("hi", 0), punctuated_word: "Hi," }, word("you", 1)];
  assert.match(srt([{ text: "", begin: 0, end: 1, words }]), /\nHi, you\n/);
});

test("a line without times is cut into cues by the length of its words", () => {
  const text = [..."0123456789"].join(" ");
  const cues = "1\n00:00:01,000 --> 00:00:01,800\n0 1 2 3 4 5 6 7\n\n2\n00:00:01,800 --> 00:00:02,000\n8 9\n";
  assert.equal(srt([{ text, begin: 1, end: 2, words: [] }]), cues);
});
