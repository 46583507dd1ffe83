/** Where the preview's words come from: the account's live captions, or a short session of captions of its own. */

import { sentence } from "./ends.js";
import { Microphone, problem } from "./microphone.js";
import { follow } from "./overlay-feed.js";
import { OVERLAY } from "./sentences.js";
import { Transcription } from "./transcription.js";

/**
 * `state`: of the captions page; `ended`: why it is over, where there is something to say.
 * @typedef {{line: (line: any) => void, clear: (which: any) => void, state: (state: string) => void,
 *   used: (seconds: number) => void, ended: (why?: {kind: "info" | "warn" | "bad", text: string,
 *   link?: {href: string, text: string}}) => void}} Listener
 */

/** Milliseconds after which a session of the preview's own stops: it is billed, and easily forgotten. */
export const LONGEST = 60_000;

/** The captions that are live now, as an overlay hears them. */
export class LiveVoice {
  watches = true;
  #ending = new AbortController();
  #listener;

  /** @param {string} key @param {Listener} listener */
  constructor(key, listener) {
    this.#listener = listener;
    const gone = () => listener.ended({ kind: "warn", text: OVERLAY.changed });
    follow(key, { line: listener.line, clear: listener.clear, missed() {}, says() {}, gone }, this.#ending.signal);
    listener.state("following");
  }

  stop() {
    this.#ending.abort();
    this.#listener.ended();
  }
}

/** A session of captions for the preview alone. Words come from the microphone. */
export class OwnVoice {
  watches = false;
  #cancelling = new AbortController();
  #listener;
  /** @type {Microphone | null} */
  #microphone = null;
  /** @type {Transcription | null} */
  #transcription = null;
  #timer = 0;

  /** Begins in the click that asks for it. @param {import("./preferences.js").Preferences} settings @param {Listener} listener */
  constructor(settings, listener) {
    this.#listener = listener;
    listener.state("asking");
    this.#open(settings);
  }

  /** The last words still come. */
  async stop() {
    this.#cancelling.abort();
    if (!this.#transcription) return;
    this.#listener.state("ending");
    await this.#silence();
    this.#transcription.stop();
  }

  async #open({ device, config, rate }) {
    try {
      this.#microphone = await Microphone.open(device, this.#cancelling.signal);
    } catch (error) {
      const text = problem(error);
      return this.#listener.ended(text ? { kind: "bad", text } : undefined);
    }
    const transcription = (this.#transcription = new Transcription(config, rate, this.#audience()));
    this.#microphone.listen(({ samples }) => transcription.push(samples), () => this.stop());
    this.#timer = setTimeout(() => this.stop(), LONGEST);
    transcription.begin();
    return undefined;
  }

  /** @returns {import("./transcription.js").Audience} */
  #audience() {
    const nothing = () => {};
    return {
      state: (state) => this.#listener.state(this.#microphone ? state : "ending"),
      words: ({ text, is_final }) => this.#listener.line({ session: "own", text, is_final }),
      usage: () => this.#listener.used(this.#transcription?.used ?? 0),
      low: nothing,
      gap: nothing,
      late: nothing,
      warning: nothing,
      ended: (end) => this.#ended(end),
    };
  }

  async #ended(end) {
    await this.#silence();
    if (end.reason !== "client_stop") return this.#listener.ended(sentence(end));
    return this.#listener.ended(end.began ? { kind: "info", text: OVERLAY.previewed(this.#transcription?.used ?? 0) } : undefined);
  }

  async #silence() {
    const closing = this.#microphone;
    this.#microphone = null;
    clearTimeout(this.#timer);
    await closing?.close();
  }
}
