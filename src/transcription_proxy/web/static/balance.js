/** Shows the balance: what is left, how long it lasts, and warnings. */

import { h, replace } from "./dom.js";
import { lastsFor } from "./forecast.js";
import { duration, grouped, inMinutes } from "./format.js";
import { BALANCE } from "./sentences.js";

/**
 * @typedef {{seconds_remaining: number, minutes_remaining: number, seconds_held: number, seconds_frozen: number,
 *   low_at_seconds: number}} Balance
 * @typedef {{date: string, seconds_used: number, seconds_purchased: number, seconds_adjusted: number}} Day
 * @typedef {{kind: "warn" | "bad", about: "debt" | "frozen" | "low" | "none", title: string, text: string, usable: number}} Warning
 */

const TWO_DAYS = 2 * 86_400;
/** The rate is measured over the last WINDOW_SECONDS, and is unknown before MIN_SECONDS of it. */
const [WINDOW_SECONDS, MIN_SECONDS] = [60, 20];

/** Measures how fast the balance falls, from the balances that were loaded. */
export class Pace {
  /** @type {{at: number, seconds: number}[]} */
  #samples = [];

  /** @param {number} seconds @param {number} at in seconds */
  add(seconds, at) {
    const last = this.#samples.at(-1);
    if (last && seconds > last.seconds) this.#samples = []; // a purchase or a released hold
    this.#samples.push({ at, seconds });
    this.#samples = this.#samples.filter((each) => at - each.at <= WINDOW_SECONDS);
  }

  forget() {
    this.#samples = [];
  }

  /** The rate in seconds of balance a second; null while it is unknown. */
  get rate() {
    const [first, last] = [this.#samples[0], this.#samples.at(-1)];
    if (!first || !last || last.at - first.at < MIN_SECONDS || last.seconds === first.seconds) return null;
    return (first.seconds - last.seconds) / (last.at - first.at);
  }
}

/**
 * Show the balance with its details. @param {Element} place @param {Balance} balance
 * @param {number} live @param {number | null} rate @param {Day[]} days @param {number} pending seconds of pending payments
 */
export function showBalance(place, balance, live, rate, days, pending) {
  const { seconds_remaining: left, seconds_held: held, seconds_frozen: frozen } = balance;
  replace(
    place,
    h("p", { class: `meter ${grade(balance)}`, id: "minutes", "data-seconds": left }, ...figure(left)),
    h("p", { class: "lasting", id: "lasts" }, lasting(left - frozen, live, rate, days)),
    h(
      "dl",
      { class: "facts" },
      fact(BALANCE.usedToday, duration(days.at(-1)?.seconds_used ?? 0), "today"),
      fact(BALANCE.reserved, duration(held), "held", BALANCE.reservedWhy),
      pending > 0 && fact(BALANCE.pending, inMinutes(pending), "pending-seconds"),
      frozen > 0 && fact(BALANCE.frozen, duration(frozen), "frozen"),
      left < 0 && fact(BALANCE.owed, duration(-left), "owed"),
    ),
  );
}

/** Update only the large figure, between two loads of the balance. @param {Element} place @param {number} seconds */
export function showFigure(place, seconds) {
  const meter = place.querySelector(".meter");
  if (meter) replace(meter, ...figure(seconds));
}

/** Return warnings about the balance, the most severe first. @param {Balance} balance @returns {Warning[]} */
export function warnings({ seconds_remaining: left, seconds_frozen: frozen, low_at_seconds: low }) {
  const usable = left - frozen;
  const found = [];
  if (left < 0) found.push(warning("bad", "debt", BALANCE.debt(-left), BALANCE.debtWhy, usable));
  if (frozen > 0) found.push(warning("warn", "frozen", BALANCE.frozenNow(frozen), BALANCE.frozenWhy(usable), usable));
  else if (left === 0) found.push(warning("bad", "none", BALANCE.none, BALANCE.noneWhy, usable));
  else if (left > 0 && left < low) found.push(warning("warn", "low", BALANCE.low(left), BALANCE.lowWhy, usable));
  return found;
}

/** Return a sentence about the balance after a purchase, while the user owes something; else "". @param {number} left @param {number} bought */
export function afterDebt(left, bought) {
  return left < 0 ? BALANCE.afterDebt(-left, left + bought) : "";
}

/** @returns {Warning} */
function warning(kind, about, title, text, usable) {
  return { kind, about, title, text, usable };
}

function figure(seconds) {
  const whole = Math.max(0, seconds);
  const minutes = Math.floor(whole / 60);
  return [grouped(minutes), h("small", {}, BALANCE.unit(whole - minutes * 60))];
}

function grade({ seconds_remaining: left, seconds_frozen: frozen, low_at_seconds: low }) {
  if (left - frozen <= 0) return "out";
  return left - frozen < low ? "low" : "";
}

function lasting(usable, live, rate, days) {
  if (usable <= 0) return BALANCE.nothingToUse;
  if (live) return BALANCE.lastsLive(usable / (rate ?? live));
  const lasts = lastsFor(usable, days);
  return lasts && lasts >= TWO_DAYS ? BALANCE.lastsAtPace(lasts) : BALANCE.lasts(usable);
}

function fact(name, value, id, title) {
  return h("div", { title }, h("dt", { class: "muted" }, name), h("dd", { id }, value));
}
