/** The overlay's secret URL: hidden until the user shows it, copied with the style, and regenerated after a confirmation. */

import { api } from "./api.js";
import { byId, failed, replace } from "./dom.js";
import { setIcon } from "./icons.js";
import { write } from "./overlay-style.js";
import { OVERLAY } from "./sentences.js";

const HIDDEN = "••••••••••••";
const BUTTONS = ["overlay-show", "overlay-copy", "overlay-test", "overlay-renew"];

export class OverlayAddress {
  #field = /** @type {HTMLInputElement} */ (byId("overlay-url"));
  /** The URL without the style. @type {URL | null} */
  #known = null;
  #query = "";
  #isShown = false;

  constructor() {
    byId("overlay-show").addEventListener("click", () => this.#toggle());
    byId("overlay-copy").addEventListener("click", () => this.#copy());
    byId("overlay-renew").addEventListener("click", () => this.#ask(true));
    byId("overlay-keep").addEventListener("click", () => this.#ask(false));
    byId("overlay-renewed").addEventListener("click", () => this.#renew());
    this.#load();
  }

  /** Show the URL with a style, which is part of it. @param {import("./overlay-style.js").Style} style */
  restyle(style) {
    this.#query = String(write(style));
    this.#show();
  }

  /** The key in the URL, empty until the URL is known. */
  key() {
    return this.#known?.hash.slice(1) ?? "";
  }

  /** Show a message below the URL. @param {string} text */
  say(text) {
    byId("overlay-said").textContent = text;
  }

  async #load(method = "GET") {
    replace(byId("overlay-alert"));
    try {
      this.#known = new URL((await api(method, "/account/overlay")).url);
    } catch (failure) {
      replace(byId("overlay-alert"), failed(failure.message, () => this.#load(method)));
      return false;
    }
    this.#show();
    return true;
  }

  /** The complete URL for OBS. The URL must be known. */
  get #full() {
    const url = new URL(/** @type {URL} */ (this.#known));
    url.search = this.#query;
    return url.href;
  }

  #show() {
    if (!this.#known) return;
    this.#field.value = this.#isShown ? this.#full : this.#full.replace(this.#known.hash, `#${HIDDEN}`);
    for (const id of BUTTONS) /** @type {HTMLButtonElement} */ (byId(id)).disabled = false;
  }

  #toggle() {
    const button = byId("overlay-show");
    this.#isShown = !this.#isShown;
    setIcon(button, this.#isShown ? "hide" : "show");
    button.setAttribute("aria-pressed", String(this.#isShown));
    this.#show();
  }

  async #copy() {
    try {
      await navigator.clipboard.writeText(this.#full);
      this.say(OVERLAY.copied);
    } catch {
      if (!this.#isShown) this.#toggle();
      this.#field.select();
      this.say(OVERLAY.noCopy);
    }
  }

  #ask(asking) {
    byId("overlay-sure").hidden = !asking;
    byId("overlay-renew").hidden = asking;
    this.say("");
    byId(asking ? "overlay-keep" : "overlay-renew").focus();
  }

  async #renew() {
    this.#ask(false);
    if (await this.#load("POST")) this.say(OVERLAY.regenerated);
  }
}
