/** The overlay as viewers see it, on a picture of a game. The overlay's own modules draw it on 1920 by 1080 pixels, which are
 * scaled down to the space there is. */

import { replace } from "./dom.js";
import { read } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";
import { OVERLAY } from "./sentences.js";

/** Width of the page in OBS, in pixels. */
const WIDE = 1920;

export class Preview {
  #place;
  #style = read(new URLSearchParams());
  #overlay;
  #isSample = true;

  /** @param {HTMLElement} frame @param {HTMLElement} place where the overlay is drawn */
  constructor(frame, place) {
    this.#place = place;
    this.#overlay = new Overlay(place, this.#style);
    new ResizeObserver(([{ contentRect }]) => {
      place.style.setProperty("--scale", String(contentRect.width / WIDE));
    }).observe(frame);
  }

  /** @param {import("./overlay-style.js").Style} style */
  restyle(style) {
    this.#style = style;
    if (this.#isSample) this.showSample();
    else this.#overlay.restyle(style);
  }

  /** Show a sample sentence that does not fade. */
  showSample() {
    this.#isSample = true;
    this.#begin({ ...this.#style, fade: 0 });
    this.#overlay.line({ session: "sample", text: OVERLAY.sample, is_final: true });
  }

  /** Remove all words. */
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
