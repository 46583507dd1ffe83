/** The overlay's appearance, as it is read from its URL. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { OPTIONS, read, write } from "../../../../src/transcription_proxy/web/static/overlay-style.js";

const parameters = (text) => read(new URLSearchParams(text));
const USUAL = parameters("");

test("without parameters everything is as usual", () => {
  for (const [name, { usual }] of Object.entries(OPTIONS)) assert.equal(USUAL[name], usual);
});

test("what is usual is not written", () => {
  assert.equal(String(write(USUAL)), "");
});

test("what was written is read again", () => {
  const style = { ...USUAL, font: "mono", size: 72, color: "ffcc00", position: "top-left", upper: true, fade: 0 };
  assert.deepEqual(read(write(style)), style);
});

for (const junk of [
  "size=11", "size=201", "size=4e1", "size=", "size=48px", "color=fff", "color=%23ffffff", "color=red;x:url(y)",
  "font=Papingo", "position=left", "upper=yes", "opacity=-1", "lines=0", "lines=99", "mask=true", "nonsense=1",
]) {
  test(`${junk} changes nothing`, () => {
    assert.deepEqual(parameters(junk), USUAL);
  });
}

test("a colour is read in capitals too", () => {
  assert.equal(parameters("color=FFAA00").color, "ffaa00");
});
