/** The overlay as viewers see it, on the picture of a game: drawn by the overlay's own modules, a page of 1920 by 1080 that is
 * made as small as the place it has. */

import { replace } from "./dom.js";
import { read } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";
import { OVERLAY } from "./sentences.js";

/** Pixels of the page in OBS. */
const WIDE = 1920;

export class Preview {
  #place;
  #style = read(new URLSearchParams());
  #overlay;
  #isSample = true;

  /** @param {HTMLElement} stage @param {HTMLElement} place the overlay on it */
  constructor(stage, place) {
    this.#place = place;
    this.#overlay = new Overlay(place, this.#style);
    new ResizeObserver(([{ contentRect }]) => {
      place.style.setProperty("--scale", String(contentRect.width / WIDE));
    }).observe(stage);
  }

  /** @param {import("./overlay-style.js").Style} style */
  restyle(style) {
    this.#style = style;
    if (this.#isSample) this.showSample();
    else this.#overlay.restyle(style);
  }

  /** Show a sentence that stays. */
  showSample() {
    this.#isSample = true;
    this.#begin({ ...this.#style, fade: 0 });
    this.#overlay.line({ session: "sample", text: OVERLAY.sample, is_final: true });
  }

  /** Show nothing but the words that come from now on. */
  showVoice() {
    this.#isSample = false;
    this.#begin(this.#style);
  }

  /** @param {{session: string, channel?: number, text: string, is_final: boolean}} line */
  line(line) {
    if (!this.#isSample) this.#overlay.line(line);
  }

  /** @param {{session: string}} which session has ended */
  clear(which) {
    if (!this.#isSample) this.#overlay.clear(which);
  }

  #begin(style) {
    this.#overlay.empty();
    replace(this.#place);
    this.#overlay = new Overlay(this.#place, style);
  }
}
