/** Where words are joined without a space. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { join } from "../../../../src/transcription_proxy/web/static/spacing.js";

test("words of a language with spaces are joined by one", () => {
  assert.equal(join(["hello", "there."]), "hello there.");
});

test("Chinese, Japanese and Thai have none", () => {
  assert.equal(join(["你好", "世界"]), "你好世界");
  assert.equal(join(["สวัสดี", "ครับ"]), "สวัสดีครับ");
});

test("nothing joins to nothing", () => {
  assert.equal(join([]), "");
});
