/** The transcript of final words, to copy and download. The service stores none of them. */

import { byId, h } from "./dom.js";
import { CAPTIONS } from "./sentences.js";
import { plainText, srt, vtt } from "./subtitles.js";

export class Transcript {
  /** @type {import("./subtitles.js").Line[]} */
  #lines = [];

  /** @param {() => void} cleared called when the user clears it */
  constructor(cleared) {
    byId("copy").addEventListener("click", () => this.#copy());
    byId("save-srt").addEventListener("click", () => save("captions.srt", "application/x-subrip", srt(this.#lines)));
    byId("save-vtt").addEventListener("click", () => save("captions.vtt", "text/vtt", vtt(this.#lines)));
    byId("save-txt").addEventListener("click", () => save("captions.txt", "text/plain", plainText(this.#lines)));
    byId("clear").addEventListener("click", () => {
      this.#lines = [];
      this.#offer();
      tell("");
      cleared();
    });
  }

  /** @param {import("./subtitles.js").Line} line */
  add(line) {
    this.#lines.push(line);
    this.#offer();
  }

  #offer() {
    for (const id of ["copy", "save-srt", "save-vtt", "save-txt", "clear"]) {
      /** @type {HTMLButtonElement} */ (byId(id)).disabled = !this.#lines.length;
    }
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(plainText(this.#lines));
      tell(CAPTIONS.copied);
    } catch {
      tell(CAPTIONS.noCopy);
    }
  }
}

function save(name, type, content) {
  const url = URL.createObjectURL(new Blob([content], { type: `${type};charset=utf-8` }));
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
  tell(CAPTIONS.saved(name));
}

function tell(text) {
  byId("kept").textContent = text;
}
