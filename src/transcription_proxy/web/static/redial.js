/** Decides whether and when another session follows a lost one. Pure: times are arguments, in milliseconds. */

/** Close codes of failures that may pass: a lost connection, a failing engine or service, a late auth message. After all
 * others, such as "no credit" or "replaced", another session would end the same way. */
const PASSING = new Set([1001, 1005, 1006, 1011, 1012, 1013, 4408]);
/** How long to retry. */
const BUDGET_MS = 60_000;
/** The longest pause before each try, in milliseconds. The last one repeats. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 15_000];

/** @param {number} code of the close */
export function mayPass(code) {
  return PASSING.has(code);
}

/** The retry budget. It starts again after a session that got final words or lasted long enough. */
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

  /** Reset the budget, because final words arrived. */
  proved() {
    this.#since = null;
    this.#tries = 0;
  }

  /**
   * Return the pause before the next try, null when the budget is used up. `random`, from 0 to 1, spreads the tries of
   * pages that lost the same service. @param {number} now @param {number} random
   */
  lost(now, random) {
    if (this.#readyAt !== null && now - this.#readyAt >= BUDGET_MS) this.proved();
    this.#readyAt = null;
    this.#since ??= now;
    const left = this.#since + BUDGET_MS - now;
    if (left <= 0) return null;
    const pause = PAUSES[Math.min(this.#tries++, PAUSES.length - 1)];
    return Math.min((pause * (1 + random)) / 2, left);
  }
}
