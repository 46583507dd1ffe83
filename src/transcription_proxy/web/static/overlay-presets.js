/** Presets of the overlay's style. A preset does not change where words appear, how long they stay, and whether swear words
 * are masked. */

import { OPTIONS } from "./overlay-style.js";

const NAMES = ["font", "size", "color", "opacity", "background", "background_opacity", "lines", "align", "upper", "outline"];
/** Each preset's differences from the defaults. */
export const PRESETS = {
  classic: {},
  bold: { size: 84, background_opacity: 90, align: "center" },
  minimal: { size: 40, background_opacity: 0, outline: 3, align: "center" },
  contrast: { size: 60, color: "ffee00", background_opacity: 100 },
};

/** Return a style with a preset applied.
 * @param {import("./overlay-style.js").Style} style @param {string} preset @returns {import("./overlay-style.js").Style} */
export function dressed(style, preset) {
  const chosen = NAMES.map((name) => [name, PRESETS[preset][name] ?? OPTIONS[name].usual]);
  return { ...style, ...Object.fromEntries(chosen) };
}

/** Return whether a style matches a preset. @param {import("./overlay-style.js").Style} style @param {string} preset */
export function wears(style, preset) {
  const wanted = dressed(style, preset);
  return NAMES.every((name) => wanted[name] === style[name]);
}
