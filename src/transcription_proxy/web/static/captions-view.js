/** The area that shows the captions, in any text size, also in full screen. */

import { turns } from "./subtitles.js";
import { byId, h, replace } from "./dom.js";
import { CAPTIONS } from "./sentences.js";
import { gap } from "./spacing.js";

/** The localStorage key of the size, from the page's former name. */
const KEY = "try-size";
/** Text sizes, in rem. */
const [SMALLEST, LARGEST, USUAL, STEP] = [1, 12, 1.75, 1.2];
/** Pixels from the end within which the view keeps scrolling along. */
const NEAR_PIXELS = 80;

export class CaptionView {
  #stage = byId("stage");
  #captions = byId("captions");
  #finals = byId("finals");
  #interim = byId("interim");
  #press;
  #speaker = "";
  /** The last final text, on which the space before the next text depends. */
  #last = "";
  #size = Number(localStorage.getItem(KEY)) || USUAL;

  /** @param {() => void} press called for the key S, which acts like the start button */
  constructor(press) {
    this.#press = press;
    byId("smaller").addEventListener("click", () => this.#resize(1 / STEP));
    byId("larger").addEventListener("click", () => this.#resize(STEP));
    byId("full").addEventListener("click", () => this.#fill());
    this.#stage.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("fullscreenchange", () => this.#filled());
    byId("full").hidden = !document.fullscreenEnabled;
    this.#resize(1);
  }

  /** Set the language of the captions, for screen readers. @param {string} id */
  setLanguage(id) {
    byId("said").lang = id === "multi" ? "" : id;
  }

  /** Show interim words in place of the last ones; empty text withdraws them. @param {string} text */
  interim(text) {
    if (!text && !this.#interim.textContent) return;
    this.#show(() => (this.#interim.textContent = gap(this.#last, text) + text));
  }

  /** Show final words. @param {import("./subtitles.js").Line} line */
  final(line) {
    const parts = turns(line).flatMap(({ label, text }) => this.#turn(label, text));
    const shown = h("span", { class: "line fresh" }, ...parts);
    this.#show(() => {
      this.#interim.textContent = "";
      this.#finals.append(gap(this.#last, line.text), shown);
    });
    this.#last = line.text;
    setTimeout(() => shown.classList.remove("fresh"), 400);
  }

  clear() {
    replace(this.#finals);
    this.#interim.textContent = this.#speaker = this.#last = "";
    byId("empty").hidden = false;
  }

  #turn(label, text) {
    const known = label === this.#speaker;
    this.#speaker = label;
    return known || !label ? [text] : [h("b", {}, label), text];
  }

  /** Scroll to the end, unless the reader has scrolled back. */
  #show(change) {
    const { scrollHeight, scrollTop, clientHeight } = this.#captions;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR_PIXELS;
    change();
    byId("empty").hidden = true;
    if (follows) this.#captions.scrollTop = this.#captions.scrollHeight;
  }

  #resize(factor) {
    this.#size = Math.min(LARGEST, Math.max(SMALLEST, this.#size * factor));
    this.#captions.style.setProperty("--size", `${this.#size}rem`);
    this.#captions.scrollTop = this.#captions.scrollHeight;
    localStorage.setItem(KEY, String(this.#size));
  }

  async #fill() {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await this.#stage.requestFullscreen().catch(() => {});
  }

  #filled() {
    byId("full").textContent = document.fullscreenElement ? CAPTIONS.leaveFullScreen : CAPTIONS.fullScreen;
    this.#captions.scrollTop = this.#captions.scrollHeight;
    if (document.fullscreenElement) this.#captions.focus({ preventScroll: true });
  }

  #list() {
    const list = /** @type {HTMLDetailsElement} */ (byId("shortcuts"));
    list.open = !list.open;
    if (list.open) list.scrollIntoView({ block: "nearest" });
  }

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.#resize(STEP);
    else if (event.key === "-") this.#resize(1 / STEP);
    else if (event.key.toLowerCase() === "f") this.#fill();
    else if (event.key.toLowerCase() === "s" && !event.repeat) this.#press();
    else if (event.key === "?") this.#list();
    else return;
    event.preventDefault();
  }
}
