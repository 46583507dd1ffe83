/** Whether and when a lost session is followed by another one. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Redial, mayPass } from "../../../../src/transcription_proxy/web/static/redial.js";

test("faults of the line and of the service may pass, decisions do not", () => {
  for (const code of [1001, 1005, 1006, 1011, 1012, 1013, 4408]) assert.ok(mayPass(code), String(code));
  for (const code of [1000, 1008, 1009, 4400, 4401, 4402, 4409, 4429]) assert.ok(!mayPass(code), String(code));
});

test("waits grow to 15 s", () => {
  const redial = new Redial();
  const waits = Array.from({ length: 7 }, () => redial.lost(0, 1));
  assert.deepEqual(waits, [500, 1000, 2000, 4000, 8000, 15_000, 15_000]);
});

test("chance halves a wait at most", () => {
  assert.equal(new Redial().lost(0, 0), 250);
});

test("after a minute it gives up", () => {
  const redial = new Redial();
  redial.lost(0, 1);
  assert.equal(redial.lost(59_900, 1), 100);
  assert.equal(redial.lost(60_000, 1), null);
});

test("final words start the minute again", () => {
  const redial = new Redial();
  redial.lost(0, 1);
  redial.ready(1000);
  redial.proved();
  assert.equal(redial.lost(90_000, 1), 500);
});

test("so does a session of a minute without words", () => {
  const redial = new Redial();
  redial.lost(0, 1);
  redial.ready(1000);
  assert.equal(redial.lost(61_000, 1), 500);
});

test("a session that is ready and lost at once does not", () => {
  const redial = new Redial();
  redial.lost(0, 1);
  redial.ready(1000);
  assert.equal(redial.lost(1001, 1), 1000);
});
