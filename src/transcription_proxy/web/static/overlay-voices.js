/** The sources of the preview's words: the account's live captions, or a short session of the preview itself. */

import { sentence } from "./ends.js";
import { Microphone, problem } from "./microphone.js";
import { follow } from "./overlay-feed.js";
import { OVERLAY } from "./sentences.js";
import { Transcription } from "./transcription.js";

/**
 * `state`: one of the states of the captions page; `ended`: why the source ended, if there is something to show.
 * @typedef {{line: (line: any) => void, clear: (which: any) => void, state: (state: string) => void,
 *   used: (seconds: number) => void, ended: (why?: {kind: "info" | "warn" | "bad", text: string,
 *   link?: {href: string, text: string}}) => void}} Listener
 */

/** The longest session of the preview, which is billed and easily forgotten. */
export const MAX_SESSION_MS = 60_000;

/** The account's live captions, as an overlay gets them. */
export class LiveSource {
  watches = true;
  #ending = new AbortController();
  #listener;

  /** @param {string} key @param {Listener} listener */
  constructor(key, listener) {
    this.#listener = listener;
    const gone = () => listener.ended({ kind: "warn", text: OVERLAY.changed });
    follow(key, { line: listener.line, clear: listener.clear, missed() {}, problem() {}, gone }, this.#ending.signal);
    listener.state("following");
  }

  stop() {
    this.#ending.abort();
    this.#listener.ended();
  }
}

/** A session for the preview alone, with audio from the microphone. */
export class MicrophoneSource {
  watches = false;
  #cancelling = new AbortController();
  #listener;
  /** @type {Microphone | null} */
  #microphone = null;
  /** @type {Transcription | null} */
  #transcription = null;
  #timer = 0;

  /** Start the session, in a click's handler. @param {import("./preferences.js").Preferences} settings @param {Listener} listener */
  constructor(settings, listener) {
    this.#listener = listener;
    listener.state("asking");
    this.#open(settings);
  }

  /** Stop. The last words still arrive. */
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
    const transcription = (this.#transcription = new Transcription(config, rate, this.#transcriptionListener()));
    this.#microphone.listen(({ samples }) => transcription.push(samples), () => this.stop());
    this.#timer = setTimeout(() => this.stop(), MAX_SESSION_MS);
    transcription.begin();
    return undefined;
  }

  /** @returns {import("./transcription.js").Listener} */
  #transcriptionListener() {
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
