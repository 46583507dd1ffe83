/** Formats numbers, money, lengths and times in the language of the page, so that a sentence never mixes two languages. The
 * browser decides only the time zone and whether a clock has 12 or 24 hours. No other module formats these. */

const LANGUAGE = document.documentElement.lang || "en";
const { hourCycle, timeZone } = new Intl.DateTimeFormat(undefined, { hour: "numeric" }).resolvedOptions();
const TIME = { hour: "numeric", minute: "2-digit", hourCycle };
const SHORT_DAY = { day: "numeric", month: "short" };
const CALENDAR = { timeZone: "UTC" };

const moments = (options) => new Intl.DateTimeFormat(LANGUAGE, options);
const NUMBER = new Intl.NumberFormat(LANGUAGE, { maximumFractionDigits: 6 });
const TODAY = moments(TIME);
const THIS_YEAR = moments({ ...SHORT_DAY, ...TIME });
const WHEN = moments({ dateStyle: "medium", timeStyle: "short", hourCycle });
const DATE = moments({ dateStyle: "long" });
const DAY = moments({ weekday: "short", day: "numeric", month: "long", ...CALENDAR });
const TICK = moments({ ...SHORT_DAY, ...CALENDAR });

/** This machine's time zone, such as "Europe/Berlin". */
export const ZONE = timeZone;

/** "3 h 20 min", "9 min 52 s", "12 s": two units at most, as in transcription_wire/lengths.py. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours) return minutes ? `${grouped(hours)} h ${minutes} min` : `${grouped(hours)} h`;
  if (minutes) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${rest} s`;
}

/** Return "1 h 2 min 3.4 s": the exact length of audio or of its bill, so that people can compare the two.
 * @param {number} seconds @param {number} [digits] after the point */
export function exactly(seconds, digits = 1) {
  const whole = Math.round(Math.max(0, seconds) * 10 ** digits);
  const [minutes, rest] = [Math.floor(whole / 10 ** digits / 60), (whole / 10 ** digits) % 60];
  /** @type {[number, string][]} */
  const parts = [[Math.floor(minutes / 60), "h"], [minutes % 60, "min"], [Number(rest.toFixed(digits)), "s"]];
  return parts.filter(([count]) => count).map(([count, unit]) => `${grouped(count)} ${unit}`).join(" ") || "0 s";
}

/** Return "500 minutes", as packages are sold. @param {number} seconds */
export function inMinutes(seconds) {
  return seconds >= 120 && seconds % 60 === 0 ? `${grouped(seconds / 60)} minutes` : duration(seconds);
}

/** Return roughly how long something lasts: "10 minutes", "3 h 20 min", "12 days". @param {number} seconds */
export function roughly(seconds) {
  const days = Math.floor(seconds / 86_400);
  if (days >= 365) return "more than a year";
  if (days >= 2) return `about ${days} days`;
  if (seconds >= 10 * 3600) return `about ${Math.floor(seconds / 3600)} hours`;
  if (seconds >= 3600) return `about ${duration(Math.floor(seconds / 600) * 600)}`;
  const minutes = Math.floor(seconds / 60);
  if (minutes) return `about ${minutes} ${minutes === 1 ? "minute" : "minutes"}`;
  return "less than a minute";
}

/** @param {number} number */
export function grouped(number) {
  return NUMBER.format(number);
}

/** @param {number} cents @param {string} currency */
export function money(cents, currency) {
  try {
    return new Intl.NumberFormat(LANGUAGE, { style: "currency", currency }).format(cents / 100);
  } catch {
    return `${(cents / 100).toFixed(2)} ${currency.toUpperCase()}`;
  }
}

/** Return a date and time in this machine's time zone. @param {string} iso */
export function when(iso) {
  const moment = new Date(iso);
  return (moment.getFullYear() === new Date().getFullYear() ? THIS_YEAR : WHEN).format(moment);
}

/** Return a time, with its date if that is not today. @param {string} iso */
export function clock(iso) {
  const moment = new Date(iso);
  return moment.toDateString() === new Date().toDateString() ? TODAY.format(moment) : when(iso);
}

/** Return a date. @param {string} iso */
export function date(iso) {
  return DATE.format(new Date(iso));
}

/** Return a calendar day such as 2026-11-24, which has no time zone, with its weekday. @param {string} day */
export function dayName(day) {
  return DAY.format(calendar(day));
}

/** Return a calendar day for an axis: "Nov 24". @param {string} day */
export function dayTick(day) {
  return TICK.format(calendar(day));
}

function calendar(day) {
  return new Date(`${day}T00:00:00Z`);
}
