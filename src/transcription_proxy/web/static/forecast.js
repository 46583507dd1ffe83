/** Estimates how long a balance lasts at the pace of the last days. */

/** @typedef {import("./balance.js").Day} Day */

/** Days of history that an estimate needs. */
const WEEK = 7;
const DAY_SECONDS = 86_400;

/** Return the seconds used a day since the first use, without today; null before a week of history. @param {Day[]} days up to today */
export function usualPace(days) {
  const before = days.slice(0, -1);
  const first = before.findIndex((day) => day.seconds_used > 0);
  if (first < 0 || before.length - first < WEEK) return null;
  const history = before.slice(first);
  return history.reduce((sum, day) => sum + day.seconds_used, 0) / history.length;
}

/** Return the seconds from now until the balance is used up; null before a week of history. @param {number} usable @param {Day[]} days */
export function lastsFor(usable, days) {
  const pace = usualPace(days);
  return pace && (usable / pace) * DAY_SECONDS;
}
