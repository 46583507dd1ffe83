/** Formats a transcript as text, SubRip and WebVTT. Subtitles follow deepgram-captions: at most eight words in a cue, and a
 * new cue where the speaker changes. */

import { CAPTIONS } from "./sentences.js";
import { join } from "./spacing.js";

/**
 * @typedef {{word: string, punctuated_word?: string, start: number, end: number, speaker?: number}} Word
 * @typedef {{text: string, begin: number, end: number, words: Word[]}} Line the words of one final message; times are seconds
 */

/** Words in one cue, at most. */
const CUE = 8;

/** @param {Line[]} lines */
export function plainText(lines) {
  return lines.flatMap((line) => turns(line).map(({ label, text }) => `${label}${text}\n`)).join("");
}

/** @param {Line[]} lines */
export function srt(lines) {
  let speaker;
  const blocks = cues(lines).map((cue, index) => {
    const label = cue.speaker !== undefined && cue.speaker !== speaker ? `[speaker ${cue.speaker}]\n` : "";
    speaker = cue.speaker;
    return `${index + 1}\n${time(cue.start, ",")} --> ${time(cue.end, ",")}\n${label}${cue.text}\n`;
  });
  return blocks.join("\n");
}

/** @param {Line[]} lines */
export function vtt(lines) {
  const blocks = cues(lines).map((cue) => {
    const label = cue.speaker === undefined ? "" : `<v Speaker ${cue.speaker}>`;
    return `${time(cue.start, ".")} --> ${time(cue.end, ".")}\n${label}${escaped(cue.text)}\n`;
  });
  return ["WEBVTT\n", ...blocks].join("\n");
}

/** Return a line as turns of its speakers; without speakers, one turn without a label. @param {Line} line */
export function turns(line) {
  if (line.words[0]?.speaker === undefined) return [{ label: "", text: line.text }];
  return runs(line.words, Infinity).map((words) => ({ label: CAPTIONS.speaker(words[0].speaker), text: joined(words) }));
}

function cues(lines) {
  return lines.flatMap((line) => runs(line.words.length ? line.words : spread(line), CUE)).map((words) => ({
    start: words[0].start,
    end: words.at(-1).end,
    speaker: words[0].speaker,
    text: joined(words),
  }));
}

/** Split words into runs of one speaker, with at most `most` words each. */
function runs(words, most) {
  const found = [];
  for (const word of words) {
    const last = found.at(-1);
    if (last && last.length < most && last[0].speaker === word.speaker) last.push(word);
    else found.push([word]);
  }
  return found;
}

/** Return words for an engine that sends none. Their times are in proportion to their letters. */
function spread({ text, begin, end }) {
  const words = text.split(/\s+/).filter(Boolean);
  const letters = words.reduce((sum, word) => sum + word.length, 0);
  let at = begin;
  return words.map((word) => {
    const start = at;
    at += ((end - begin) * word.length) / letters;
    return { word, start, end: at };
  });
}

function joined(words) {
  return join(words.map((word) => word.punctuated_word ?? word.word));
}

/** 00:01:05,400 */
function time(seconds, point) {
  const ms = Math.round(seconds * 1000);
  const parts = [Math.floor(ms / 3_600_000), Math.floor(ms / 60_000) % 60, Math.floor(ms / 1000) % 60];
  return `${parts.map((part) => String(part).padStart(2, "0")).join(":")}${point}${String(ms % 1000).padStart(3, "0")}`;
}

function escaped(text) {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}
