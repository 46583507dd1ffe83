/** Audio at the microphone's rate, turned into 16 kHz. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Resampler } from "../../../../src/transcription_proxy/web/static/resample.js";

const tone = (hertz, rate, seconds) =>
  Float32Array.from({ length: rate * seconds }, (_, index) => Math.sin((2 * Math.PI * hertz * index) / rate));
const loudness = (samples) => Math.sqrt(samples.reduce((sum, sample) => sum + sample * sample, 0) / samples.length);
const decibels = (samples) => 20 * Math.log10(loudness(samples) / Math.SQRT1_2);
/** What is made of a second of sound, without its beginning and its end. */
const middle = (samples) => samples.slice(2000, -2000);

for (const rate of [8_000, 22_050, 44_100, 48_000, 96_000]) {
  test(`a second at ${rate} Hz stays a second`, () => {
    const made = new Resampler(rate, 16_000).take(tone(440, rate, 1));
    assert.ok(Math.abs(made.length - 16_000) < 300, String(made.length));
  });

  test(`speech at ${rate} Hz keeps its level`, () => {
    for (const hertz of [100, 440, 3000]) {
      const made = new Resampler(rate, 16_000).take(tone(hertz, rate, 1));
      assert.ok(Math.abs(decibels(middle(made))) < 0.1, `${hertz} Hz: ${decibels(middle(made))} dB`);
    }
  });
}

test("what 16 kHz cannot hold is 80 dB down", () => {
  for (const hertz of [9000, 12_000, 20_000]) {
    const made = new Resampler(48_000, 16_000).take(tone(hertz, 48_000, 1));
    assert.ok(decibels(middle(made)) < -78, `${hertz} Hz: ${decibels(middle(made))} dB`);
  }
});

test("pieces of any length give what the whole gives", () => {
  const whole = tone(440, 44_100, 1);
  const expected = new Resampler(44_100, 16_000).take(whole);
  const [pieces, made] = [new Resampler(44_100, 16_000), []];
  for (let at = 0, length = 1; at < whole.length; at += length, length = (length * 7) % 1009)
    made.push(...pieces.take(whole.subarray(at, at + length)));
  assert.deepEqual(made, expected.slice(0, made.length));
  assert.ok(made.length >= expected.length - 1);
});
