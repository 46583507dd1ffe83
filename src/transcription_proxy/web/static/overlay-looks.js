/** The form for the overlay's style, with presets. This browser remembers the style. */

import { byId, find } from "./dom.js";
import { dressed, wears } from "./overlay-presets.js";
import { OPTIONS, read, write } from "./overlay-style.js";
import { OVERLAY } from "./sentences.js";

const KEY = "overlay-style";
/** How numbers are shown beside their sliders. Some sliders end before the URL's limit, where higher values are useless. */
const FIGURES = {
  size: OVERLAY.pixels,
  opacity: OVERLAY.percent,
  background_opacity: OVERLAY.percent,
  width: OVERLAY.percent,
  lines: String,
  outline: (number) => (number ? OVERLAY.pixels(number) : OVERLAY.noOutline),
  fade: OVERLAY.fade,
};

export class Looks {
  #style = read(new URLSearchParams(localStorage.getItem(KEY) ?? ""));
  #changed;
  #presets = [...byId("presets").querySelectorAll("button")];

  /** @param {(style: import("./overlay-style.js").Style) => void} changed called on each change, and once at the start */
  constructor(changed) {
    this.#changed = changed;
    byId("overlay-looks").addEventListener("input", () => this.#set(given()));
    byId("overlay-form").addEventListener("submit", (event) => event.preventDefault());
    byId("overlay-usual").addEventListener("click", () => this.#set(read(new URLSearchParams())));
    for (const button of this.#presets) {
      button.addEventListener("click", () => this.#set(dressed(this.#style, presetOf(button))));
    }
    this.#set(this.#style);
  }

  /** Show a style in the fields, report it, and remember it. */
  #set(style) {
    this.#style = style;
    localStorage.setItem(KEY, String(write(style)));
    for (const name of Object.keys(OPTIONS)) show(name, style[name]);
    for (const button of this.#presets) button.setAttribute("aria-pressed", String(wears(style, presetOf(button))));
    this.#changed(style);
  }
}

/** @param {HTMLButtonElement} button */
function presetOf(button) {
  return /** @type {string} */ (button.dataset.preset);
}

function show(name, value) {
  const place = field(name);
  if (place.type === "checkbox") place.checked = value;
  else place.value = place.type === "color" ? `#${value}` : String(value);
  if (!(name in FIGURES)) return;
  const text = FIGURES[name](value);
  find(byId("overlay-form"), `output[for="${place.id}"]`).textContent = text;
  place.setAttribute("aria-valuetext", text);
}

/** Return the style that the fields show. */
function given() {
  const entries = Object.keys(OPTIONS).map((name) => {
    const { type, checked, value } = field(name);
    return [name, type === "checkbox" ? String(Number(checked)) : value.replace("#", "")];
  });
  return read(new URLSearchParams(entries));
}

function field(name) {
  return /** @type {HTMLInputElement} */ (byId(`overlay-${name}`));
}
