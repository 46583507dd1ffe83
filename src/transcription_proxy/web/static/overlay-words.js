/** The words on the overlay: for each session those of its last lines, which never break anew while words follow. */

import { h } from "./dom.js";
import { masked } from "./overlay-mask.js";
import { apply } from "./overlay-style.js";
import { gap } from "./spacing.js";

/** How long the last words of a session stay where nothing fades; how long words stay at most. In seconds. */
const [AFTERWARDS, LONGEST] = [8, 3600];
/** Milliseconds that a fade takes. */
const FADING = 600;
/** Pieces of text that are kept before those that nobody sees are looked for. */
const MANY = 80;
const pieces = new Intl.Segmenter(undefined, { granularity: "word" });

export class Overlay {
  #place;
  /** @type {import("./overlay-style.js").Style} */
  #style;
  /** @type {Map<string, Voice>} by session and channel */
  #voices = new Map();

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
    let voice = this.#voices.get(key);
    if (!text) return voice?.withdraw();
    if (!voice) {
      for (const other of this.#voices.values()) if (other.ended) other.leave(); // it goes on in this one's place
      voice = new Voice(session, () => this.#voices.delete(key));
      this.#voices.set(key, voice);
      this.#place.append(voice.element);
    }
    voice.ended = false;
    voice.say(this.#style.mask ? masked(text) : text, is_final);
    voice.leaveAfter(this.#style.fade || LONGEST);
    return undefined;
  }

  /** The session has ended. @param {{session: string}} which */
  clear({ session }) {
    for (const voice of this.#voices.values()) if (voice.session === session) this.#end(voice);
  }

  /** Lines were missed: the words that are shown may have been withdrawn since, or their sessions may have ended. */
  missed() {
    for (const voice of this.#voices.values()) this.#end(voice);
  }

  /** Nothing is shown any more. */
  empty() {
    for (const voice of this.#voices.values()) voice.leave();
  }

  /** Words look like this from now on. @param {import("./overlay-style.js").Style} style */
  restyle(style) {
    this.#style = style;
    apply(this.#place, style);
  }

  #end(voice) {
    voice.ended = true;
    voice.leaveAfter(this.#style.fade || AFTERWARDS);
  }
}

/** One who speaks. */
class Voice {
  ended = false;
  /** @type {HTMLElement[]} */
  #settled = [];
  /** @type {HTMLElement[]} */
  #interim = [];
  #text = h("span", { class: "said" });
  /** The words that settled last. */
  #last = "";
  #timer = 0;
  #left;

  /** @param {string} session @param {() => void} left what to do once it is gone */
  constructor(session, left) {
    this.session = session;
    this.#left = left;
    this.element = h("div", { class: "voice" }, h("p", { dir: "auto" }, this.#text));
  }

  /** The words that may still change become these. @param {string} text @param {boolean} isFinal */
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
    if (this.#settled.length > MANY) this.#trim();
  }

  /** The words that may still change were none. */
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
    this.#timer = setTimeout(() => this.leave(), FADING);
  }

  /** Forgets whole lines above those that are seen, so that no other one breaks anew. */
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
