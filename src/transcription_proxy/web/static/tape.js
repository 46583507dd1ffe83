/** The audio buffer: audio that was not sent yet, and sent audio that the next session needs if this one is lost before its
 * words are final. Positions are samples since the start; a session's times are seconds. */

/** Samples a second. */
export const RATE = 16_000;
/** Samples kept in all, and of those already sent. Audio without words after that time has none. */
const [KEPT, REPLAYED] = [60 * RATE, 15 * RATE];

export class Tape {
  /** @type {{at: number, samples: Int16Array}[]} */
  #frames = [];
  #end = 0;
  /** The index of the frame that is sent next. */
  #next = 0;
  #sent = 0;
  /** From sample `from` of the session on, its position is `add` more. There is one entry for each gap of lost audio. */
  #shifts = [{ from: 0, add: 0 }];
  #final = 0;
  #repeated = 0;

  /** Append audio. Return how many seconds of the oldest unsent audio were dropped for it. @param {Int16Array} samples */
  append(samples) {
    this.#frames.push({ at: this.#end, samples });
    this.#end += samples.length;
    while (this.#next > 0 && this.#head - this.#frames[0].at > REPLAYED) this.#drop(true);
    let lost = 0;
    while (this.#end - this.#frames[0].at > KEPT) lost += this.#drop(this.#next > 0);
    return lost / RATE;
  }

  /** Return the next frame and count it as sent; undefined if all frames are sent. */
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
   * Record Results. Return the position of their words, in seconds; null if they were final in an earlier session.
   * @param {{start: number, duration: number, is_final: boolean}} words
   */
  record({ start, duration, is_final }) {
    const [begin, end] = [this.#place(start), this.#place(start + duration)];
    if (begin + end < 2 * this.#repeated) return null;
    if (is_final) this.#final = Math.max(this.#final, end);
    while (this.#next > 0 && this.#frames[0].at + this.#frames[0].samples.length <= this.#final) this.#drop(true);
    return { begin: begin / RATE, end: end / RATE };
  }

  /** Go back to the end of the final words, because the session is lost and the next one needs the audio. */
  rewind() {
    this.#next = this.#sent = 0;
    this.#shifts = [{ from: 0, add: this.#frames[0]?.at ?? this.#end }];
    this.#repeated = this.#final;
  }

  /** Return the position of a time of the current session, in seconds. @param {number} seconds */
  position(seconds) {
    return this.#place(seconds) / RATE;
  }

  /** Seconds sent to this session. */
  get sent() {
    return this.#sent / RATE;
  }

  /** Seconds that wait to be sent. */
  get unsent() {
    return (this.#end - this.#head) / RATE;
  }

  /** Seconds of all audio so far. */
  get length() {
    return this.#end / RATE;
  }

  /** The position of the next audio to send. */
  get #head() {
    return this.#frames[this.#next]?.at ?? this.#end;
  }

  #place(seconds) {
    const at = Math.min(Math.max(0, Math.round(seconds * RATE)), this.#sent);
    const shift = /** @type {{add: number}} */ (this.#shifts.findLast(({ from }) => from <= at)); // the first entry is from 0
    return at + shift.add;
  }

  /** Drop the oldest frame. Return its samples if they were not sent, else 0. */
  #drop(sent) {
    const oldest = this.#frames.shift();
    if (sent) this.#next -= 1;
    return sent || !oldest ? 0 : oldest.samples.length;
  }
}
