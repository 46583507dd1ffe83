/** Where words appear and settle, as large as one likes, on the whole screen too. */

import { turns } from "./subtitles.js";
import { byId, h, replace } from "./dom.js";
import { CAPTIONS } from "./sentences.js";
import { gap } from "./spacing.js";

/** From the name this page once had: browsers keep the size under it. */
const KEY = "try-size";
/** Of the words, in rem. */
const [SMALLEST, LARGEST, USUAL, STEP] = [1, 12, 1.75, 1.2];
/** Pixels from the end within which one is reading along. */
const NEAR = 80;

export class Stage {
  #stage = byId("stage");
  #captions = byId("captions");
  #finals = byId("finals");
  #interim = byId("interim");
  #speaker = "";
  /** The text that stays, as far as the space after it depends on it. */
  #last = "";
  #size = Number(localStorage.getItem(KEY)) || USUAL;

  constructor() {
    byId("smaller").addEventListener("click", () => this.#resize(1 / STEP));
    byId("larger").addEventListener("click", () => this.#resize(STEP));
    byId("full").addEventListener("click", () => this.#fill());
    this.#stage.addEventListener("keydown", (event) => this.#key(event));
    document.addEventListener("fullscreenchange", () => this.#filled());
    byId("full").hidden = !document.fullscreenEnabled;
    this.#resize(1);
  }

  /** Which language the words are in, for who hears them read. @param {string} id */
  speaks(id) {
    byId("said").lang = id === "multi" ? "" : id;
  }

  /** Words that may still change; without any, those there were are withdrawn. @param {string} text */
  interim(text) {
    if (!text && !this.#interim.textContent) return;
    this.#show(() => (this.#interim.textContent = gap(this.#last, text) + text));
  }

  /** Words that stay. @param {import("./subtitles.js").Line} line */
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

  /** Follows the words unless somebody has scrolled back to read. */
  #show(change) {
    const { scrollHeight, scrollTop, clientHeight } = this.#captions;
    const follows = scrollHeight - scrollTop - clientHeight < NEAR;
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

  #key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "+" || event.key === "=") this.#resize(STEP);
    else if (event.key === "-") this.#resize(1 / STEP);
    else if (event.key.toLowerCase() === "f") this.#fill();
    else return;
    event.preventDefault();
  }
}
