/** The balance in words: what is left, how long it lasts, and what stands in its way. */

import { bar, h, replace } from "./dom.js";
import { duration, grouped } from "./format.js";
import { BALANCE, COMMON } from "./sentences.js";

/**
 * @typedef {{seconds_remaining: number, minutes_remaining: number, seconds_held: number, seconds_frozen: number}} Balance
 * @typedef {{date: string, seconds_used: number, seconds_purchased: number, seconds_adjusted: number}} Day
 */

const LOW = 600;
const WEEK = 7;
const DAY = 86_400;
/** How far back the present rate is looked for, and how much of it must be known, in seconds. */
const [WINDOW, ENOUGH] = [60, 20];

/** How fast the balance falls now, seen from what it was at each look. */
export class Pace {
  /** @type {{at: number, seconds: number}[]} */
  #looks = [];

  /** @param {number} seconds @param {number} at in seconds */
  look(seconds, at) {
    const last = this.#looks.at(-1);
    if (last && seconds > last.seconds) this.#looks = []; // bought, or given back
    this.#looks.push({ at, seconds });
    this.#looks = this.#looks.filter((each) => at - each.at <= WINDOW);
  }

  forget() {
    this.#looks = [];
  }

  /** Seconds of balance a second; null while it is not known. */
  get rate() {
    const [first, last] = [this.#looks[0], this.#looks.at(-1)];
    if (!first || !last || last.at - first.at < ENOUGH || last.seconds === first.seconds) return null;
    return (first.seconds - last.seconds) / (last.at - first.at);
  }
}

/**
 * The large figure and what belongs to it. @param {Element} place @param {Balance} balance
 * @param {number} live @param {number | null} rate @param {Day[]} days
 */
export function showBalance(place, balance, live, rate, days) {
  const { seconds_remaining: left, minutes_remaining: minutes, seconds_held: held, seconds_frozen: frozen } = balance;
  const rest = Math.max(0, left) - minutes * 60;
  replace(
    place,
    h(
      "p",
      { class: `meter ${grade(balance)}`, id: "minutes", "data-seconds": left },
      grouped(minutes),
      h("small", {}, BALANCE.unit(rest)),
    ),
    h("p", { class: "lasting", id: "lasts" }, lasting(left - frozen, live, rate, days)),
    h(
      "dl",
      { class: "facts" },
      fact(BALANCE.usedToday, duration(days.at(-1)?.seconds_used ?? 0), "today"),
      fact(BALANCE.usedMonth, duration(used(days)), "month"),
      fact(BALANCE.reserved, duration(held), "held", BALANCE.reservedWhy),
      frozen > 0 && fact(BALANCE.frozen, duration(frozen), "frozen"),
      left < 0 && fact(BALANCE.owed, duration(-left), "owed"),
    ),
  );
}

/** What must not be overlooked. @param {Balance} balance */
export function warnings({ seconds_remaining: left, seconds_frozen: frozen }) {
  const usable = left - frozen;
  const found = [];
  if (left < 0) {
    found.push(say("bad", BALANCE.debt(-left), BALANCE.debtWhy, true));
  }
  if (frozen > 0) {
    found.push(say("warn", BALANCE.frozenNow(frozen), BALANCE.frozenWhy(usable), usable < LOW));
  } else if (left >= 0 && left < LOW) {
    const [kind, strong, text] = left
      ? ["warn", BALANCE.low(left), BALANCE.lowWhy]
      : ["bad", BALANCE.none, BALANCE.noneWhy];
    found.push(say(kind, strong, text, true));
  }
  return found;
}

/** What a purchase leaves while something is owed; empty otherwise. @param {number} left @param {number} bought */
export function afterDebt(left, bought) {
  return left < 0 ? BALANCE.afterDebt(-left, left + bought) : "";
}

function say(kind, strong, text, buy = false) {
  const action = buy && h("a", { class: "button", href: "#buy" }, COMMON.buyMinutes);
  return bar(kind, h("p", {}, h("strong", {}, strong), " ", text), action);
}

function grade({ seconds_remaining: left, seconds_frozen: frozen }) {
  if (left - frozen <= 0) return "out";
  return left - frozen < LOW ? "low" : "";
}

function lasting(usable, live, rate, days) {
  if (usable <= 0) return BALANCE.nothingToUse;
  if (live) return BALANCE.lastsLive(usable / (rate ?? live));
  const week = used(days.slice(-WEEK));
  const lasts = (usable / week) * WEEK * DAY;
  if (!week || lasts < 2 * DAY) return BALANCE.lasts(usable);
  return BALANCE.lastsAtRate(lasts, week / WEEK);
}

/** @param {Day[]} days */
function used(days) {
  return days.reduce((sum, day) => sum + day.seconds_used, 0);
}

function fact(name, value, id, title) {
  return h("div", { title }, h("dt", { class: "muted" }, name), h("dd", { id }, value));
}
