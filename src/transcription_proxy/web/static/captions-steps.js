/** "Get started": three steps that complete themselves, remembered by account in this browser. */

import { api } from "./api.js";
import { byId, find, replace } from "./dom.js";
import { icon } from "./icons.js";
import { microphones, problem } from "./microphone.js";
import { overlayUrl } from "./overlay-url.js";
import { FIRST, OVERLAY } from "./sentences.js";
import { session } from "./session.js";

/** @typedef {"microphone" | "words" | "overlay"} Step */

/** @type {Step[]} */
const ALL = ["microphone", "words", "overlay"];
/** The localStorage key. early.js reads it too, so that the page does not move for users who are done. */
const KEY = "get-started";

export class Steps {
  /** @type {Record<string, boolean>} */
  #known = remembered()[email()] ?? {};

  constructor() {
    if (this.#over) return;
    byId("allow").addEventListener("click", () => this.#ask());
    byId("copy-url").addEventListener("click", () => copy());
    byId("test-overlay").addEventListener("click", ({ currentTarget }) => this.#test(currentTarget));
    byId("steps-hide").addEventListener("click", () => this.#hide());
    for (const step of ALL) if (this.#known[step]) show(step);
    this.#look();
  }

  /** @param {Step} step */
  done(step) {
    if (this.#known[step]) return;
    this.#remember(step);
    if (this.#known.hidden) return;
    show(step);
    if (!this.#over) return;
    const title = byId("steps-title");
    if (byId("steps").contains(document.activeElement)) title.focus();
    byId("steps-list").hidden = byId("steps-hide").hidden = true;
    byId("steps-done").textContent = FIRST.finished;
  }

  get #over() {
    return this.#known.hidden || ALL.every((step) => this.#known[step]);
  }

  #remember(name) {
    this.#known = { ...this.#known, [name]: true };
    localStorage.setItem(KEY, JSON.stringify({ ...remembered(), [email()]: this.#known }));
  }

  #hide() {
    this.#remember("hidden");
    byId("steps").hidden = true;
    byId("choices").querySelector("select")?.focus();
  }

  /** Find steps that were done before, perhaps in another browser. Microphones have names once the page may use one. */
  async #look() {
    const named = (await microphones().catch(() => [])).some(({ label }) => label);
    if (named) this.done("microphone");
    if (this.#known.words) return;
    const { sessions } = await api("GET", "/account/sessions?limit=1").catch(() => ({ sessions: [] }));
    if (sessions.some(({ seconds_used }) => seconds_used > 0)) this.done("words");
  }

  /** Ask for permission to use the microphone. Nothing is recorded or billed. */
  async #ask() {
    replace(byId("allow-wrong"));
    try {
      if (!navigator.mediaDevices) throw new DOMException("", "InsecureError");
      const stream = await navigator.mediaDevices.getUserMedia({ audio: true });
      for (const track of stream.getTracks()) track.stop();
      this.done("microphone");
    } catch (error) {
      replace(byId("allow-wrong"), problem(error));
    }
  }

  async #test(button) {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    tell(FIRST.testing);
    try {
      const { watching } = await api("POST", "/account/overlay/test");
      tell(OVERLAY.tested(watching));
      if (watching > 0) this.done("overlay");
    } catch (failure) {
      tell(failure.message);
    } finally {
      button.removeAttribute("aria-disabled");
    }
  }
}

async function copy() {
  let url = "";
  try {
    url = await overlayUrl();
    await navigator.clipboard.writeText(url);
    tell(OVERLAY.copied);
  } catch (failure) {
    tell(url ? FIRST.noCopy : failure.message);
  }
}

function show(step) {
  const item = byId(`step-${step}`);
  const mark = find(item, ".mark");
  item.classList.add("done");
  find(mark, ".unseen").textContent = FIRST.done;
  mark.append(icon("check"));
  if (step === "microphone") replace(find(item, ".muted"), FIRST.allowed);
}

function tell(text) {
  byId("overlay-told").textContent = text;
}

function email() {
  return session()?.email ?? "";
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
