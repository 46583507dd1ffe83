/** A balance between two looks at it: what is left by now, at the rate at which it falls. */

/** Seconds after which the service has booked what was used: no estimate runs further ahead. */
const BOOKED_WITHIN = 12;

export class Countdown {
  #seconds = 0;
  #at = 0;
  #rate = 0;

  /** What the service said. @param {number} seconds @param {number} at in seconds @param {number} rate of balance a second */
  look(seconds, at, rate) {
    if (seconds !== this.#seconds || !rate) [this.#seconds, this.#at] = [seconds, at];
    this.#rate = rate;
  }

  /** Whole seconds left. @param {number} at in seconds */
  left(at) {
    const gone = Math.min(at - this.#at, BOOKED_WITHIN) * this.#rate;
    return gone > 0 ? Math.max(Math.min(this.#seconds, 0), Math.ceil(this.#seconds - gone)) : this.#seconds;
  }
}
