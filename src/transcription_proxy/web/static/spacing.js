/** Joins words into a line of text: with spaces, except in scripts that are written without them. transcription_wire/spacing.py
 * has the same tables. */

/** Thai and Lao; Myanmar; Khmer; Han; kana and bopomofo. Korean has spaces. */
const UNSPACED =
  "\\u0e00-\\u0eff" +
  "\\u1000-\\u109f\\uaa60-\\uaa7f" +
  "\\u1780-\\u17ff" +
  "\\u2e80-\\u2fdf\\u3005-\\u3007\\u3400-\\u4dbf\\u4e00-\\u9fff\\uf900-\\ufaff\\u{20000}-\\u{3ffff}" +
  "\\u3040-\\u312f\\u31a0-\\u31bf\\u31f0-\\u31ff\\uff66-\\uff9f";
/** Punctuation as wide as a Han character, which contains its own space. */
const WIDE = "\\u3001-\\u3003\\u3008-\\u3011\\u3014-\\u301f\\uff01-\\uff0f\\uff1a-\\uff20\\uff3b-\\uff40\\uff5b-\\uff65";
const BOUNDARY = new RegExp(`^(?:[${UNSPACED}] [${UNSPACED}]|[${WIDE}] .|. [${WIDE}])$`, "su");

/** Return what separates two pieces of text: a space or nothing. @param {string} before @param {string} after */
export function gap(before, after) {
  if (!before || !after) return "";
  const last = before.match(/.$/su)?.[0];
  const first = after.match(/^./su)?.[0];
  return BOUNDARY.test(`${last} ${first}`) ? "" : " ";
}

/** Return a line of text made of words. @param {string[]} words */
export function join(words) {
  return words.reduce((line, word) => line + gap(line, word) + word, "");
}
