/** The sound that may still be needed: what was not sent yet, and what another session must hear because the lost one may
 * not have said its words. Positions are samples since the start, times of a session are seconds. */

export const RATE = 16_000;
/** How much is kept, and how much of what was sent: words come within that time, or there were none. */
const [KEPT, REPLAYED] = [60 * RATE, 15 * RATE];

export class Tape {
  /** @type {{at: number, samples: Int16Array}[]} */
  #frames = [];
  #end = 0;
  /** The index of the frame that is sent next. */
  #next = 0;
  #sent = 0;
  /** From which sample of the session on, what to add for a position: sound may be lost between. */
  #shifts = [{ from: 0, add: 0 }];
  #final = 0;
  #repeated = 0;

  /** New sound; how many seconds of the oldest are lost for it. @param {Int16Array} samples */
  append(samples) {
    this.#frames.push({ at: this.#end, samples });
    this.#end += samples.length;
    while (this.#next > 0 && this.#head - this.#frames[0].at > REPLAYED) this.#drop(true);
    let lost = 0;
    while (this.#end - this.#frames[0].at > KEPT) lost += this.#drop(this.#next > 0);
    return lost / RATE;
  }

  /** The next frame, which is sent now; undefined where all was. */
  take() {
    const frame = this.#frames[this.#next];
    if (!frame) return undefined;
    const add = frame.at - this.#sent;
    if (this.#shifts[this.#shifts.length - 1].add !== add) this.#shifts.push({ from: this.#sent, add });
    this.#next += 1;
    this.#sent += frame.samples.length;
    return frame.samples;
  }

  /**
   * Words came. Where they lie in the whole, in seconds; null where they were final in an earlier session.
   * @param {{start: number, duration: number, is_final: boolean}} words
   */
  hear({ start, duration, is_final }) {
    const [begin, end] = [this.#place(start), this.#place(start + duration)];
    if (begin + end < 2 * this.#repeated) return null;
    if (is_final) this.#final = Math.max(this.#final, end);
    while (this.#next > 0 && this.#frames[0].at + this.#frames[0].samples.length <= this.#final) this.#drop(true);
    return { begin: begin / RATE, end: end / RATE };
  }

  /** The session is over: what it may not have heard has to be sent to the next one. */
  rewind() {
    this.#next = this.#sent = 0;
    this.#shifts = [{ from: 0, add: this.#frames[0]?.at ?? this.#end }];
    this.#repeated = this.#final;
  }

  /** Where a time of the present session lies, in seconds of the whole. @param {number} seconds */
  position(seconds) {
    return this.#place(seconds) / RATE;
  }

  /** Seconds that this session was sent. */
  get sent() {
    return this.#sent / RATE;
  }

  /** Seconds that wait to be sent. */
  get unsent() {
    return (this.#end - this.#head) / RATE;
  }

  /** Seconds of all the sound there was. */
  get length() {
    return this.#end / RATE;
  }

  /** The position of what is sent next. */
  get #head() {
    return this.#frames[this.#next]?.at ?? this.#end;
  }

  #place(seconds) {
    const at = Math.min(Math.max(0, Math.round(seconds * RATE)), this.#sent);
    const shift = /** @type {{add: number}} */ (this.#shifts.findLast(({ from }) => from <= at)); // the first is from 0
    return at + shift.add;
  }

  /** Forgets the oldest frame; how many samples are lost for it. */
  #drop(sent) {
    const oldest = this.#frames.shift();
    if (sent) this.#next -= 1;
    return sent || !oldest ? 0 : oldest.samples.length;
  }
}
