/** One transcription: a caption session, and after one that was lost another one, until all of the sound has its words.
 * Every frame of sound moves it on, as the timers of a hidden tab are slow. */

import { mayPass, Redial } from "./redial.js";
import { renew, token } from "./session.js";
import { forgetOpened, rememberOpened } from "./tabs.js";
import { Tape } from "./tape.js";

/**
 * @typedef {{session_id: string, used: number, audio: number, settled: boolean}} Part one session
 * @typedef {{error: string, message: string, reason: string, code: number, began: boolean}} End why it was over
 * @typedef {{text: string, is_final: boolean, begin: number, end: number, words: any[]}} Words
 * `state`: opening, live, engine (it is taken up again), away, ending. `words` without text: a final that withdraws the
 * interim ones. `late`: how many seconds late words are, 0 when they are not. `warning`: a sentence about what is wrong.
 * @typedef {{state: (state: string) => void, words: (words: Words) => void, usage: () => void, low: (left: number) => void,
 *   gap: (seconds: number) => void, late: (seconds: number) => void, warning: (code: string, message: string) => void,
 *   ended: (end: End) => void}} Audience
 */

const TICK = 250;
/** Until a session is ready; without a word from the service while sound goes there; for the last words. In ms. */
const [OPENS, SPEAKS, ENDS] = [25_000, 30_000, 30_000];
/** Sound that had to wait goes so many seconds ahead of its words, or so much faster than it was spoken: what lies in
 * buffers on the way is billed, and lost with the session. */
const [AHEAD, CATCH_UP] = [10, 2];
/** How often the service is asked whether all has arrived so far, and from which delay of the line on words are late. In ms. */
const [ASK_EVERY, LATE] = [1000, 4000];
/** Seconds by which it changes before that is told: a screen reader says it each time. */
const LATE_STEP = 2;
/** Seconds of sound in which there is no word. */
const NO_WORD = 0.1;
const LOST = 1006;
const NO_END = { error: "", message: "", reason: "" };
/** Takes the place of interim words that were none. */
const NOTHING = { text: "", is_final: true, words: [], begin: 0, end: 0 };
/** All words are there, though nobody said goodbye. */
const DONE = { ...NO_END, reason: "client_stop" };

export class Transcription {
  /** @type {Part[]} */
  parts = [];
  #tape = new Tape();
  #redial = new Redial();
  #config;
  #rate;
  #replaces;
  /** @type {Audience} */
  #audience;
  /** @type {WebSocket | null} */
  #socket = null;
  #state = "opening";
  #said = NO_END;
  #token = "";
  #renewed = false;
  #stopping = false;
  #stopped = false;
  /** Since when the present state, or the service's silence, lasts; when to dial again. */
  #since = 0;
  #heardFrom = 0;
  #dueAt = Infinity;
  /** Of the present session: when it became ready, and up to where words came, in its seconds. */
  #readyAt = 0;
  #heard = 0;
  #left = { seconds: null, used: 0 };
  /** When the question was asked whose answer is awaited, 0 without one; up to when all that was sent has arrived. */
  #askedAt = 0;
  #arrivedAt = 0;
  /** How late words are: in the service, in seconds, and what was told of it. */
  #behind = 0;
  #late = 0;
  #timer = 0;

  /**
   * @param {object} config @param {number} rate credits a second @param {Audience} audience
   * @param {string} [replaces] the session of another page that ends when this begins
   */
  constructor(config, rate, audience, replaces) {
    this.#replaces = replaces;
    this.#config = config;
    this.#rate = rate;
    this.#audience = audience;
  }

  begin() {
    this.#timer = setInterval(() => this.#tick(), TICK);
    this.#dial();
  }

  /** New sound. @param {Int16Array} samples */
  push(samples) {
    if (this.#state === "over" || this.#stopping) return;
    const lost = this.#tape.append(samples);
    if (lost) this.#audience.gap(lost);
    this.#tick();
  }

  /** No more sound comes: the rest is sent, and the last words are awaited. */
  stop() {
    if (this.#state === "over") return;
    this.#stopping = true;
    this.#since = performance.now();
    if (!this.parts.length) return this.#finish(1000, DONE);
    if (this.#state === "live" || this.#state === "engine") this.#enter("ending");
    this.#tick();
  }

  /** Captions go on elsewhere. The service ends a live session and says so; one that is being dialled ends here. */
  moved() {
    if (!this.#ready && this.#state !== "over") this.#finish(LOST, { ...NO_END, reason: "replaced" });
  }

  /** Seconds used, of all sessions: what the service said, and what was sent since. */
  get used() {
    return this.parts.reduce((sum, part) => sum + part.used, 0);
  }

  /** Seconds left, null while that is not known. */
  get left() {
    return this.#left.seconds === null ? null : this.#left.seconds - (this.used - this.#left.used);
  }

  /** Seconds of sound. */
  get length() {
    return this.#tape.length;
  }

  /** The last session; there is one once the service has answered "ready". */
  get #part() {
    return /** @type {Part} */ (this.parts.at(-1));
  }

  get #ready() {
    return this.#state === "live" || this.#state === "engine" || this.#state === "ending";
  }

  async #dial() {
    this.#dueAt = Infinity;
    this.#said = NO_END;
    this.#heard = 0;
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
    this.#heardFrom = performance.now();
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
        return this.#audience.low(message.seconds_remaining);
      case "alive":
        this.#arrivedAt = this.#askedAt;
        this.#askedAt = 0;
        return undefined;
      case "warning":
        if (message.code !== "behind") return this.#audience.warning(message.code, message.message);
        this.#behind = message.seconds;
        return undefined;
      case "status":
        if (!this.#stopping) this.#enter(message.upstream === "reconnecting" ? "engine" : "live");
        return undefined;
      case "error":
        if (message.code !== "bad_message") this.#said = { ...this.#said, error: message.code, message: message.message };
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
    this.#audience.words(NOTHING); // this session hears again what was not final, and may hear something else
    this.#redial.ready(this.#readyAt);
    this.#enter(this.#stopping ? "ending" : "live");
    this.#pump();
  }

  #words({ text, is_final, start, duration, words = [] }) {
    this.#heard = Math.max(this.#heard, start + duration);
    if (this.#behind) this.#behind = Math.max(1, this.#tape.sent - start - duration); // the service says roughly how late
    const place = this.#tape.hear({ start, duration, is_final });
    if (!place) return is_final ? this.#audience.words(NOTHING) : undefined;
    if (is_final) this.#redial.proved();
    const moved = words.map((word) => ({
      ...word,
      start: this.#tape.position(word.start),
      end: this.#tape.position(word.end),
    }));
    this.#audience.words({ text, is_final, words: moved, ...place });
  }

  #settle({ seconds_used, audio_seconds, reason }) {
    Object.assign(this.#part, { used: seconds_used, audio: audio_seconds, settled: true });
    forgetOpened([this.#part.session_id]);
    this.#said = { ...this.#said, reason };
    this.#audience.usage();
  }

  #balance(seconds) {
    this.#left = { seconds, used: this.used };
    this.#audience.usage();
  }

  /** Moves on what time moves on. */
  #tick() {
    const now = performance.now();
    if (now >= this.#dueAt) this.#dial();
    else if (this.#ready && now - this.#heardFrom > SPEAKS) this.#lose();
    else if (!this.#ready && this.#socket && now - this.#since > OPENS) this.#lose();
    else if (this.#stopped && now - this.#since > ENDS) this.#lose();
    else this.#pump();
    this.#mindDelay(now);
  }

  /** Words are late when the service says so, or when the line is slow. */
  #mindDelay(now) {
    const mayAsk = this.#ready && !this.#askedAt && now - this.#arrivedAt > ASK_EVERY;
    if (mayAsk && this.#socket?.readyState === WebSocket.OPEN) {
      this.#askedAt = now;
      this.#socket.send(JSON.stringify({ type: "keepalive", answer: true }));
    }
    const line = now - this.#arrivedAt > LATE ? (now - this.#arrivedAt) / 1000 : 0;
    const late = this.#ready ? Math.round(Math.max(line, this.#behind)) : 0;
    const changed = !late !== !this.#late || Math.abs(late - this.#late) >= LATE_STEP;
    if (changed) this.#audience.late((this.#late = late));
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
    const ahead = this.#tape.sent - AHEAD;
    return ahead <= this.#heard || ahead <= ((performance.now() - this.#readyAt) / 1000) * CATCH_UP;
  }

  /** What was sent is used, before the service says so. */
  #count() {
    const used = Math.ceil(Number((this.#rate * this.#tape.sent).toFixed(6)));
    if (this.#part.settled || used <= this.#part.used) return;
    this.#part.used = used;
    this.#audience.usage();
  }

  /** The connection does not live, whatever the browser believes. */
  #lose() {
    const socket = this.#socket;
    this.#socket = null;
    socket?.close();
    this.#closed(LOST);
  }

  async #closed(code) {
    this.#socket = null;
    this.#stopped = false;
    const [said, ready] = [this.#said, this.#ready];
    if (said.error === "unauthorized" && !ready && !this.#renewed) return this.#renew();
    this.#tape.rewind();
    const owed = !this.#stopping || this.#tape.unsent >= NO_WORD;
    const pause = this.parts.length && owed && mayPass(code) ? this.#redial.lost(performance.now(), Math.random()) : null;
    if (pause === null) return this.#finish(code, owed || said.error || said.reason ? said : DONE);
    this.#dueAt = performance.now() + pause;
    this.#enter("away");
  }

  /** A token may have been good enough for its date, and still be refused. */
  async #renew() {
    this.#renewed = true;
    try {
      await renew(this.#token);
    } catch {
      return this.#finish(LOST, NO_END);
    }
    this.#dial();
  }

  #finish(code, said) {
    clearInterval(this.#timer);
    this.#socket?.close();
    this.#socket = null;
    this.#dueAt = Infinity;
    this.#state = "over";
    this.#audience.ended({ ...said, code, began: this.parts.length > 0 });
  }

  #enter(state) {
    this.#since = this.#heardFrom = performance.now();
    this.#state = state;
    this.#audience.state(state);
  }
}
