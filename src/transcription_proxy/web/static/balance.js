/** The balance in words: what is left, how long it lasts, and what stands in its way. */

import { bar, h, replace } from "./dom.js";
import { duration, grouped, roughly } from "./format.js";

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
      h("small", {}, rest ? `min ${rest} s` : "min"),
    ),
    h("p", { class: "lasting", id: "lasts" }, lasting(left - frozen, live, rate, days)),
    h(
      "dl",
      { class: "facts" },
      fact("Used today", duration(days.at(-1)?.seconds_used ?? 0), "today"),
      fact("Used in 30 days", duration(used(days)), "month"),
      fact("Held by live sessions", duration(held), "held"),
      frozen > 0 && fact("Frozen, payment disputed", duration(frozen), "frozen"),
      left < 0 && fact("Owed", duration(-left), "owed"),
    ),
  );
}

/** What must not be overlooked. @param {Balance} balance */
export function warnings({ seconds_remaining: left, seconds_frozen: frozen }) {
  const usable = left - frozen;
  const found = [];
  if (left < 0) {
    const debt = `You owe ${duration(-left)}.`;
    found.push(
      say("bad", debt, "A payment was taken back. Your next purchase pays this off first.", true),
    );
  }
  if (frozen > 0) {
    const text = `A payment is disputed: until it is settled, ${usableNow(usable)}`;
    found.push(say("warn", `${duration(frozen)} are frozen.`, text, usable < LOW));
  } else if (left >= 0 && left < LOW) {
    const text = left ? "Buy more before your captions end." : "Captions do not start until you buy some.";
    found.push(say(left ? "warn" : "bad", left ? `Only ${duration(left)} left.` : "No minutes left.", text, true));
  }
  return found;
}

/** What a purchase leaves while something is owed; empty otherwise. @param {number} left @param {number} bought */
export function afterDebt(left, bought) {
  if (left >= 0) return "";
  const rest = left + bought;
  return rest > 0
    ? `Pays off ${duration(-left)} first and leaves you ${duration(rest)}.`
    : `Pays off ${duration(bought)}; ${duration(-rest)} stay owed.`;
}

function usableNow(usable) {
  return usable > 0 ? `you can use ${duration(usable)}.` : "captions do not start.";
}

function say(kind, strong, text, buy = false) {
  const action = buy && h("a", { class: "button", href: "#buy" }, "Buy minutes");
  return bar(kind, h("p", {}, h("strong", {}, strong), " ", text), action);
}

function grade({ seconds_remaining: left, seconds_frozen: frozen }) {
  if (left - frozen <= 0) return "out";
  return left - frozen < LOW ? "low" : "";
}

function lasting(usable, live, rate, days) {
  if (usable <= 0) return "Nothing to use at the moment.";
  if (live) {
    const sessions = live === 1 ? "1 live session" : `${live} live sessions`;
    return `Lasts ${roughly(usable / (rate ?? live))} at the present rate, with ${sessions}.`;
  }
  const week = used(days.slice(-WEEK));
  const lasts = (usable / week) * WEEK * DAY;
  if (!week || lasts < 2 * DAY) return `Enough for ${roughly(usable)} of one stream.`;
  return `Lasts ${roughly(lasts)} at last week's rate of ${duration(week / WEEK)} a day.`;
}

/** @param {Day[]} days */
function used(days) {
  return days.reduce((sum, day) => sum + day.seconds_used, 0);
}

function fact(name, value, id) {
  return h("div", {}, h("dt", { class: "muted" }, name), h("dd", { id }, value));
}
