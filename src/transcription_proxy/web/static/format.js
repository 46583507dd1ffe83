/** Seconds, money, days and reasons in the words of the page. */

const TIME = { hour: "numeric", minute: "2-digit" };
const TODAY = new Intl.DateTimeFormat(undefined, TIME);
const THIS_YEAR = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", ...TIME });
const WHEN = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "short" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "short", day: "numeric", month: "long", timeZone: "UTC" });
const DATE = new Intl.DateTimeFormat(undefined, { dateStyle: "long" });

const ENDINGS = {
  client_stop: "You stopped it",
  client_gone: "Your app disconnected",
  replaced: "Reconnected, went on in the next session",
  ended_by_user: "You ended it on this site",
  signed_out: "Your password was changed",
  ended_by_operator: "Ended by support",
  idle: "No sound for a long while",
  insufficient_credits: "No minutes left",
  upstream_closed: "The speech engine failed",
  service_restart: "The service was restarted",
  too_slow: "Your app did not keep up",
  database_away: "A fault on our side",
  bad_messages: "Your app sent what we do not understand",
  lease_expired: "A fault on our side",
  internal: "A fault on our side",
};

/** "2 h 5 min", "5 min 12 s", "12 s": two units at most. @param {number} seconds */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes, rest] = [Math.floor(whole / 3600), Math.floor((whole % 3600) / 60), whole % 60];
  if (hours) return minutes ? `${grouped(hours)} h ${minutes} min` : `${grouped(hours)} h`;
  if (minutes) return rest ? `${minutes} min ${rest} s` : `${minutes} min`;
  return `${rest} s`;
}

/** The length of sound, or what was billed for it, to be held against each other: "1 h 2 min 3.4 s". @param {number} seconds
 * @param {number} [digits] after the point */
export function exactly(seconds, digits = 1) {
  const tenths = Math.round(Math.max(0, seconds) * 10 ** digits);
  const [minutes, rest] = [Math.floor(tenths / 10 ** digits / 60), (tenths / 10 ** digits) % 60];
  const parts = [[Math.floor(minutes / 60), "h"], [minutes % 60, "min"]].filter(([count]) => count);
  return [...parts.map(([count, unit]) => `${grouped(count)} ${unit}`), `${rest.toFixed(digits)} s`].join(" ");
}

/** As packages are sold: "500 minutes". @param {number} seconds */
export function inMinutes(seconds) {
  return seconds >= 120 && seconds % 60 === 0 ? `${grouped(seconds / 60)} minutes` : duration(seconds);
}

/** About how long something will last. @param {number} seconds */
export function roughly(seconds) {
  const days = seconds / 86_400;
  if (days >= 365) return "more than a year";
  if (days >= 2) return `about ${Math.floor(days)} days`;
  if (seconds >= 10 * 3600) return `about ${Math.floor(seconds / 3600)} hours`;
  if (seconds >= 3600) return `about ${duration(Math.floor(seconds / 600) * 600)}`;
  if (seconds >= 60) return `about ${duration(Math.floor(seconds / 60) * 60)}`;
  return "less than a minute";
}

/** @param {number} number */
export function grouped(number) {
  return number.toLocaleString();
}

/** @param {number} cents @param {string} currency */
export function money(cents, currency) {
  try {
    return (cents / 100).toLocaleString(undefined, { style: "currency", currency });
  } catch {
    return `${(cents / 100).toFixed(2)} ${currency.toUpperCase()}`;
  }
}

/** A moment on this machine's clock. @param {string} iso */
export function when(iso) {
  const moment = new Date(iso);
  return (moment.getFullYear() === new Date().getFullYear() ? THIS_YEAR : WHEN).format(moment);
}

/** The time of a moment, with its day where that is not today. @param {string} iso */
export function clock(iso) {
  const moment = new Date(iso);
  return moment.toDateString() === new Date().toDateString() ? TODAY.format(moment) : when(iso);
}

/** The day of a moment. @param {string} iso */
export function date(iso) {
  return DATE.format(new Date(iso));
}

/** A calendar day such as 2026-11-24, which belongs to no time zone. @param {string} day */
export function dayName(day) {
  return DAY.format(new Date(`${day}T00:00:00Z`));
}

/** Why a session ended. @param {string | null} reason */
export function ending(reason) {
  return ENDINGS[reason ?? ""] ?? reason ?? "Unknown";
}
