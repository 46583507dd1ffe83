/** Lengths, numbers and money in the language of the page. tests/browser/test_format.py compares them with Python's. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { duration, exactly, grouped, inMinutes, money, roughly } from "../../../../src/transcription_proxy/web/static/format.js";

test("lengths have two units at most", () => {
  assert.deepEqual([0, 59, 60, 592, 3600, 12_000].map(duration), ["0 s", "59 s", "1 min", "9 min 52 s", "1 h", "3 h 20 min"]);
});

test("audio has a decimal", () => {
  assert.deepEqual([0, 9.2, 59.96, 3723.4].map((seconds) => exactly(seconds)), ["0 s", "9.2 s", "1 min", "1 h 2 min 3.4 s"]);
});

test("packages are in minutes", () => {
  assert.deepEqual([30_000, 90].map(inMinutes), ["500 minutes", "1 min 30 s"]);
});

test("forecasts are round", () => {
  assert.deepEqual([30, 60, 600, 7300, 50_000, 300_000].map(roughly), [
    "less than a minute", "about 1 minute", "about 10 minutes", "about 2 h", "about 13 hours", "about 3 days",
  ]);
});

test("numbers and money are those of the page's language", () => {
  assert.deepEqual([grouped(3066), money(1_234_500, "usd"), money(99, "eur")], ["3,066", "$12,345.00", "€0.99"]);
});
