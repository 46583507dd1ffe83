/** The words on the overlay: the last lines of each session. Lines never wrap differently while words follow. */

import { h } from "./dom.js";
import { masked } from "./overlay-mask.js";
import { apply } from "./overlay-style.js";
import { gap } from "./spacing.js";

/** How long the last words stay after a session ended, and words at most, if the style does not fade them. */
const [END_SECONDS, MAX_SECONDS] = [8, 3600];
/** How long a fade takes. */
const FADE_MS = 600;
/** Pieces of final text from which hidden ones are removed. */
const MAX_PIECES = 80;
const pieces = new Intl.Segmenter(undefined, { granularity: "word" });

export class Overlay {
  #place;
  /** @type {import("./overlay-style.js").Style} */
  #style;
  /** @type {Map<string, Speaker>} by session and channel */
  #speakers = new Map();

  /** @param {HTMLElement} place @param {import("./overlay-style.js").Style} style */
  constructor(place, style) {
    this.#place = place;
    this.#style = style;
    apply(place, style);
  }

  /** A final line without text withdraws the interim words. @param {{session: string, channel?: number, text: string,
   * is_final: boolean}} line */
  line({ session, channel = 0, text, is_final }) {
    const key = `${session} ${channel}`;
    let speaker = this.#speakers.get(key);
    if (!text) return speaker?.withdraw();
    if (!speaker) {
      for (const other of this.#speakers.values()) if (other.ended) other.leave(); // the new session takes its place
      speaker = new Speaker(session, () => this.#speakers.delete(key));
      this.#speakers.set(key, speaker);
      this.#place.append(speaker.element);
    }
    speaker.ended = false;
    speaker.say(this.#style.mask ? masked(text) : text, is_final);
    speaker.leaveAfter(this.#style.fade || MAX_SECONDS);
    return undefined;
  }

  /** Let the words of an ended session fade. @param {{session: string}} which */
  clear({ session }) {
    for (const speaker of this.#speakers.values()) if (speaker.session === session) this.#end(speaker);
  }

  /** Let all words fade after missed lines: they may have been withdrawn, or their sessions may have ended. */
  missed() {
    for (const speaker of this.#speakers.values()) this.#end(speaker);
  }

  /** Remove all words. */
  empty() {
    for (const speaker of this.#speakers.values()) speaker.leave();
  }

  /** Apply a style. @param {import("./overlay-style.js").Style} style */
  restyle(style) {
    this.#style = style;
    apply(this.#place, style);
  }

  #end(speaker) {
    speaker.ended = true;
    speaker.leaveAfter(this.#style.fade || END_SECONDS);
  }
}

/** The words of one session and channel. */
class Speaker {
  ended = false;
  /** @type {HTMLElement[]} */
  #settled = [];
  /** @type {HTMLElement[]} */
  #interim = [];
  #text = h("span", { class: "said" });
  /** The last final text. */
  #last = "";
  #timer = 0;
  #left;

  /** @param {string} session @param {() => void} left called once its element is removed */
  constructor(session, left) {
    this.session = session;
    this.#left = left;
    this.element = h("div", { class: "voice" }, h("p", { dir: "auto" }, this.#text));
  }

  /** Replace the interim words. @param {string} text @param {boolean} isFinal */
  say(text, isFinal) {
    const said = text.trim().replace(/\s+/g, " ");
    const words = Array.from(pieces.segment(gap(this.#last, said) + said), ({ segment }) => segment);
    let same = 0;
    while (same < words.length && this.#interim[same]?.textContent === words[same]) same += 1;
    for (const old of this.#interim.splice(same)) old.remove();
    const added = words.slice(same).map((word) => h("span", {}, word));
    this.#text.append(...added);
    this.#interim.push(...added);
    if (isFinal) this.#settled.push(...this.#interim.splice(0));
    if (isFinal) this.#last = said;
    if (this.#settled.length > MAX_PIECES) this.#trim();
  }

  /** Withdraw the interim words. */
  withdraw() {
    for (const old of this.#interim.splice(0)) old.remove();
    if (!this.#settled.length) this.leave();
  }

  leaveAfter(seconds) {
    clearTimeout(this.#timer);
    this.element.classList.remove("fading");
    this.#timer = setTimeout(() => this.#fade(), seconds * 1000);
  }

  leave() {
    clearTimeout(this.#timer);
    this.element.remove();
    this.#left();
  }

  #fade() {
    this.element.classList.add("fading");
    this.#timer = setTimeout(() => this.leave(), FADE_MS);
  }

  /** Remove whole lines above the visible ones, so that no visible line wraps differently. */
  #trim() {
    const top = this.element.getBoundingClientRect().top;
    let [cut, line] = [0, Infinity];
    for (const [index, piece] of this.#settled.entries()) {
      const shown = piece.textContent.trim() ? piece.getClientRects() : [];
      if (!shown.length) continue;
      if (shown[0].bottom > top) break;
      if (shown[0].top > line + 1) cut = index;
      line = shown[shown.length - 1].top;
    }
    for (const old of this.#settled.splice(0, cut)) old.remove();
  }
}
