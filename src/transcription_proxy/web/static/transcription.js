/** One transcription: a caption session, and another after each lost one, until all audio has its words. Each frame of audio
 * also runs the timers, which browsers slow down in a hidden tab. */

import { mayPass, Redial } from "./redial.js";
import { renew, token } from "./session.js";
import { forgetOpened, rememberOpened } from "./tabs.js";
import { Tape } from "./tape.js";

/**
 * @typedef {{session_id: string, used: number, audio: number, settled: boolean}} Part one session; seconds
 * @typedef {{error: string, message: string, reason: string, code: number, began: boolean}} End why it ended
 * @typedef {{text: string, is_final: boolean, begin: number, end: number, words: any[]}} Words
 * `state`: opening, live, engine (the service redials it), away, ending. `words` without text: withdraw the interim words.
 * `gap`: seconds of lost audio. `late`: how many seconds late words are, or 0. `warning`: a sentence about a problem.
 * @typedef {{state: (state: string) => void, words: (words: Words) => void, usage: () => void, low: (left: number) => void,
 *   gap: (seconds: number) => void, late: (seconds: number) => void, warning: (code: string, message: string) => void,
 *   ended: (end: End) => void}} Listener
 */

const TICK_MS = 250;
/** Timeouts: until a session is ready, for a message while audio is sent, and for the last words. */
const [OPEN_MS, SILENCE_MS, END_MS] = [25_000, 30_000, 30_000];
/** Buffered audio is sent at most this many seconds ahead of its words, or this much faster than real time, because audio
 * in buffers on the way is billed and is lost with the session. */
const [AHEAD_SECONDS, CATCH_UP_FACTOR] = [10, 2];
/** How often the page asks whether all audio has arrived, and the delay of the connection from which words are late. */
const [ASK_MS, LATE_MS] = [1000, 4000];
/** Smaller changes of the delay are not reported, because a screen reader announces each report. */
const LATE_STEP_SECONDS = 2;
/** Audio too short to contain a word. */
const NO_WORD_SECONDS = 0.1;
/** The close code of a connection that was lost. */
const LOST = 1006;
const NO_END = { error: "", message: "", reason: "" };
/** Words that withdraw the interim words. */
const NOTHING = { text: "", is_final: true, words: [], begin: 0, end: 0 };
/** The end of a transcription whose words have all arrived, although its session was lost. */
const DONE = { ...NO_END, reason: "client_stop" };

export class Transcription {
  /** @type {Part[]} */
  parts = [];
  #tape = new Tape();
  #redial = new Redial();
  #config;
  #rate;
  #replaces;
  /** @type {Listener} */
  #listener;
  /** @type {WebSocket | null} */
  #socket = null;
  #state = "opening";
  #ending = NO_END;
  #token = "";
  #renewed = false;
  #stopping = false;
  #stopped = false;
  /** When the current state began, when the last message arrived, and when to redial. */
  #since = 0;
  #messageAt = 0;
  #dueAt = Infinity;
  /** When the current session became ready, and the end of its last Results, in its seconds. */
  #readyAt = 0;
  #wordsUpTo = 0;
  #left = { seconds: null, used: 0 };
  /** When the unanswered question was asked, or 0; all audio sent before `#arrivedAt` has arrived. */
  #askedAt = 0;
  #arrivedAt = 0;
  /** How late words are, in seconds: as the service says, and as last reported. */
  #behind = 0;
  #late = 0;
  #timer = 0;

  /**
   * @param {object} config @param {number} rate credits a second @param {Listener} listener
   * @param {string} [replaces] the session of another page that ends when this begins
   */
  constructor(config, rate, listener, replaces) {
    this.#replaces = replaces;
    this.#config = config;
    this.#rate = rate;
    this.#listener = listener;
  }

  begin() {
    this.#timer = setInterval(() => this.#tick(), TICK_MS);
    this.#dial();
  }

  /** Append audio. @param {Int16Array} samples */
  push(samples) {
    if (this.#state === "over" || this.#stopping) return;
    const lost = this.#tape.append(samples);
    if (lost) this.#listener.gap(lost);
    this.#tick();
  }

  /** Send the remaining audio, and wait for the last words. */
  stop() {
    if (this.#state === "over") return;
    this.#stopping = true;
    this.#since = performance.now();
    if (!this.parts.length) return this.#finish(1000, DONE);
    if (this.#state === "live" || this.#state === "engine") this.#enter("ending");
    this.#tick();
  }

  /** End, because captions continue elsewhere. The service ends a live session; one that is not ready yet ends here. */
  moved() {
    if (!this.#ready && this.#state !== "over") this.#finish(LOST, { ...NO_END, reason: "replaced" });
  }

  /** Seconds used in all sessions, as the service reported and with what was sent since. */
  get used() {
    return this.parts.reduce((sum, part) => sum + part.used, 0);
  }

  /** Seconds left, null while unknown. */
  get left() {
    return this.#left.seconds === null ? null : this.#left.seconds - (this.used - this.#left.used);
  }

  /** Seconds of audio. */
  get length() {
    return this.#tape.length;
  }

  /** The last session. There is one once the service has sent `ready`. */
  get #part() {
    return /** @type {Part} */ (this.parts.at(-1));
  }

  get #ready() {
    return this.#state === "live" || this.#state === "engine" || this.#state === "ending";
  }

  async #dial() {
    this.#dueAt = Infinity;
    this.#ending = NO_END;
    this.#wordsUpTo = 0;
    this.#enter(this.parts.length ? "away" : "opening");
    const socket = (this.#socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/transcribe`));
    const mine = (work) => (event) => socket === this.#socket && work(event);
    socket.onopen = mine(() => this.#greet(socket));
    socket.onmessage = mine(({ data }) => this.#take(JSON.parse(data)));
    socket.onclose = mine(({ code }) => this.#closed(code));
  }

  async #greet(socket) {
    try {
      this.#token = await token();
    } catch {
      return this.#lose();
    }
    const last = this.parts.at(-1);
    const replaces = last ? (last.settled ? undefined : last.session_id) : this.#replaces;
    if (socket === this.#socket && socket.readyState === WebSocket.OPEN)
      socket.send(JSON.stringify({ type: "auth", token: this.#token, config: this.#config, replaces }));
  }

  #take(message) {
    this.#messageAt = performance.now();
    switch (message.type) {
      case "ready":
        return this.#begun(message);
      case "transcript":
        return this.#words(message);
      case "usage":
        this.#part.used = message.seconds_used;
        return this.#balance(message.seconds_remaining);
      case "credits_low":
        this.#balance(message.seconds_remaining);
        return this.#listener.low(message.seconds_remaining);
      case "alive":
        this.#arrivedAt = this.#askedAt;
        this.#askedAt = 0;
        return undefined;
      case "warning":
        if (message.code !== "behind") return this.#listener.warning(message.code, message.message);
        this.#behind = message.seconds;
        return undefined;
      case "status":
        if (!this.#stopping) this.#enter(message.upstream === "reconnecting" ? "engine" : "live");
        return undefined;
      case "error":
        if (message.code !== "bad_message") this.#ending = { ...this.#ending, error: message.code, message: message.message };
        return undefined;
      case "session_end":
        return this.#settle(message);
    }
  }

  #begun({ session_id, seconds_remaining }) {
    this.parts.push({ session_id, used: 0, audio: 0, settled: false });
    rememberOpened(session_id);
    this.#balance(seconds_remaining);
    this.#readyAt = this.#arrivedAt = performance.now();
    this.#askedAt = this.#behind = 0;
    this.#listener.words(NOTHING); // the new session may recognize the replayed audio differently
    this.#redial.ready(this.#readyAt);
    this.#enter(this.#stopping ? "ending" : "live");
    this.#pump();
  }

  #words({ text, is_final, start, duration, words = [] }) {
    this.#wordsUpTo = Math.max(this.#wordsUpTo, start + duration);
    if (this.#behind) this.#behind = Math.max(1, this.#tape.sent - start - duration); // between the service's rough reports
    const place = this.#tape.record({ start, duration, is_final });
    if (!place) return is_final ? this.#listener.words(NOTHING) : undefined;
    if (is_final) this.#redial.proved();
    const moved = words.map((word) => ({
      ...word,
      start: this.#tape.position(word.start),
      end: this.#tape.position(word.end),
    }));
    this.#listener.words({ text, is_final, words: moved, ...place });
  }

  #settle({ seconds_used, audio_seconds, reason }) {
    Object.assign(this.#part, { used: seconds_used, audio: audio_seconds, settled: true });
    forgetOpened([this.#part.session_id]);
    this.#ending = { ...this.#ending, reason };
    this.#listener.usage();
  }

  #balance(seconds) {
    this.#left = { seconds, used: this.used };
    this.#listener.usage();
  }

  /** Check all timeouts. */
  #tick() {
    const now = performance.now();
    if (now >= this.#dueAt) this.#dial();
    else if (this.#ready && now - this.#messageAt > SILENCE_MS) this.#lose();
    else if (!this.#ready && this.#socket && now - this.#since > OPEN_MS) this.#lose();
    else if (this.#stopped && now - this.#since > END_MS) this.#lose();
    else this.#pump();
    this.#checkDelay(now);
  }

  /** Report how late words are: because the service says so, or because the connection is slow. */
  #checkDelay(now) {
    const mayAsk = this.#ready && !this.#askedAt && now - this.#arrivedAt > ASK_MS;
    if (mayAsk && this.#socket?.readyState === WebSocket.OPEN) {
      this.#askedAt = now;
      this.#socket.send(JSON.stringify({ type: "keepalive", answer: true }));
    }
    const line = now - this.#arrivedAt > LATE_MS ? (now - this.#arrivedAt) / 1000 : 0;
    const late = this.#ready ? Math.round(Math.max(line, this.#behind)) : 0;
    const changed = !late !== !this.#late || Math.abs(late - this.#late) >= LATE_STEP_SECONDS;
    if (changed) this.#listener.late((this.#late = late));
  }

  #pump() {
    if (!this.#ready || this.#socket?.readyState !== WebSocket.OPEN) return;
    while (!this.#stopped && this.#tape.unsent && this.#mayGoAhead())
      this.#socket.send(/** @type {Int16Array<ArrayBuffer>} */ (this.#tape.take()));
    this.#count();
    if (!this.#stopping || this.#stopped || this.#tape.unsent) return;
    this.#stopped = true;
    this.#since = performance.now();
    this.#socket.send(JSON.stringify({ type: "stop" }));
  }

  #mayGoAhead() {
    const ahead = this.#tape.sent - AHEAD_SECONDS;
    return ahead <= this.#wordsUpTo || ahead <= ((performance.now() - this.#readyAt) / 1000) * CATCH_UP_FACTOR;
  }

  /** Count sent audio as used before the service reports it. */
  #count() {
    const used = Math.ceil(Number((this.#rate * this.#tape.sent).toFixed(6)));
    if (this.#part.settled || used <= this.#part.used) return;
    this.#part.used = used;
    this.#listener.usage();
  }

  /** Give up a dead connection, which the browser may not have noticed. */
  #lose() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#closed(LOST);
  }

  async #closed(code) {
    this.#socket = null;
    this.#stopped = false;
    const [ending, ready] = [this.#ending, this.#ready];
    if (ending.error === "unauthorized" && !ready && !this.#renewed) return this.#renew();
    this.#tape.rewind();
    const owed = !this.#stopping || this.#tape.unsent >= NO_WORD_SECONDS;
    const pause = this.parts.length && owed && mayPass(code) ? this.#redial.lost(performance.now(), Math.random()) : null;
    if (pause === null) return this.#finish(code, owed || ending.error || ending.reason ? ending : DONE);
    this.#dueAt = performance.now() + pause;
    this.#enter("away");
  }

  /** Renew the token, which the service may refuse before it expires. */
  async #renew() {
    this.#renewed = true;
    try {
      await renew(this.#token);
    } catch {
      return this.#finish(LOST, NO_END);
    }
    this.#dial();
  }

  #finish(code, ending) {
    clearInterval(this.#timer);
    this.#socket?.close();
    this.#socket = null;
    this.#dueAt = Infinity;
    this.#state = "over";
    this.#listener.ended({ ...ending, code, began: this.parts.length > 0 });
  }

  #enter(state) {
    this.#since = this.#messageAt = performance.now();
    this.#state = state;
    this.#listener.state(state);
  }
}
