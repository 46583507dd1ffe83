/** The audio that is kept for a session that is lost. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { RATE, Tape } from "../../../../src/transcription_proxy/web/static/tape.js";

const second = () => new Int16Array(RATE);

/** A tape with so many seconds, of which so many are sent. */
function tape(recorded, sent) {
  const made = new Tape();
  for (let index = 0; index < recorded; index++) made.append(second());
  for (let index = 0; index < sent; index++) made.take();
  return made;
}

test("frames are taken once, in order", () => {
  const made = new Tape();
  made.append(Int16Array.of(1));
  made.append(Int16Array.of(2));
  assert.deepEqual([made.take()?.[0], made.take()?.[0], made.take()], [1, 2, undefined]);
});

test("lengths are seconds", () => {
  const made = tape(5, 2);
  assert.deepEqual([made.length, made.sent, made.unsent], [5, 2, 3]);
});

test("at most 60 s wait, and the oldest audio that was not sent is lost first", () => {
  const made = tape(60, 0);
  assert.equal(made.append(second()), 1);
  assert.equal(made.unsent, 60);
});

test("audio that was sent makes room without a loss", () => {
  const made = tape(50, 50);
  for (let index = 0; index < 60; index++) assert.equal(made.append(second()), 0);
  assert.equal(made.unsent, 60);
});

test("after a rewind the audio that has no final words is sent again", () => {
  const made = tape(6, 6);
  made.record({ start: 0, duration: 4, is_final: true });
  made.rewind();
  assert.equal(made.unsent, 2);
});

test("at most 15 s of what was sent are kept for a replay", () => {
  const made = tape(40, 40);
  made.append(second());
  made.rewind();
  assert.ok(made.unsent <= 16 && made.unsent >= 15);
});

test("words of the next session lie behind those of the lost one", () => {
  const made = tape(6, 6);
  made.record({ start: 0, duration: 4, is_final: true });
  made.rewind();
  made.take();
  made.take();
  assert.deepEqual(made.record({ start: 0.5, duration: 1, is_final: true }), { begin: 4.5, end: 5.5 });
});

test("words that were final in the lost session are not said twice", () => {
  const made = tape(6, 6);
  made.record({ start: 0, duration: 4.5, is_final: true }); // ends inside the fifth frame, which is sent again
  made.rewind();
  made.take();
  assert.equal(made.record({ start: 0, duration: 0.4, is_final: true }), null);
});

test("interim words keep the audio", () => {
  const made = tape(6, 6);
  made.record({ start: 0, duration: 6, is_final: false });
  made.rewind();
  assert.equal(made.unsent, 6);
});
