/** Estimates the balance between two loads, by the rate at which it falls. */

/** The service books usage within this time, so no estimate runs further ahead. */
const BOOKED_SECONDS = 12;

export class Countdown {
  #seconds = 0;
  #at = 0;
  #rate = 0;

  /** Set the balance that the service reported. @param {number} seconds @param {number} at in seconds @param {number} rate of balance a second */
  update(seconds, at, rate) {
    if (seconds !== this.#seconds || !rate) [this.#seconds, this.#at] = [seconds, at];
    this.#rate = rate;
  }

  /** Return the whole seconds left. @param {number} at in seconds */
  left(at) {
    const gone = Math.min(at - this.#at, BOOKED_SECONDS) * this.#rate;
    return gone > 0 ? Math.max(Math.min(this.#seconds, 0), Math.ceil(this.#seconds - gone)) : this.#seconds;
  }
}
