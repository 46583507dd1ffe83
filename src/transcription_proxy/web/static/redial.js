/** Whether a lost session is followed by another one, and when: values in, values out. Times are in ms. */

/** Close codes after which another session may do better: gone, no code, no close, engine or service in trouble, no auth
 * in time. All others mean what they say: done, not allowed, nothing left, somebody else took over. */
const PASSING = new Set([1001, 1005, 1006, 1011, 1012, 1013, 4408]);
const WITHIN = 60_000;
/** Before each try, at most; the last one goes on. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 15_000];

/** @param {number} code of the close */
export function mayPass(code) {
  return PASSING.has(code);
}

/** Tries and clock start anew when a session has proven itself: by words, or by its length. */
export class Redial {
  /** @type {number | null} */
  #since = null;
  /** @type {number | null} */
  #readyAt = null;
  #tries = 0;

  /** @param {number} now */
  ready(now) {
    this.#readyAt = now;
  }

  /** Final words came. */
  proved() {
    this.#since = null;
    this.#tries = 0;
  }

  /**
   * How long to wait before the next try, null when enough was tried. `luck`, from 0 to 1: pages that lost the same
   * service do not all come back at one moment. @param {number} now @param {number} luck
   */
  lost(now, luck) {
    if (this.#readyAt !== null && now - this.#readyAt >= WITHIN) this.proved();
    this.#readyAt = null;
    this.#since ??= now;
    const left = this.#since + WITHIN - now;
    if (left <= 0) return null;
    const pause = PAUSES[Math.min(this.#tries++, PAUSES.length - 1)];
    return Math.min((pause * (1 + luck)) / 2, left);
  }
}
