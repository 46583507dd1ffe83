/** How long a balance lasts at the pace of the days so far. */

/** @typedef {import("./balance.js").Day} Day */

/** Days of history from which there is a usual pace. */
const WEEK = 7;
const DAY_SECONDS = 86_400;

/** Seconds used a day since the first use, today left out; null before a week of history. @param {Day[]} days up to today */
export function usualPace(days) {
  const before = days.slice(0, -1);
  const first = before.findIndex((day) => day.seconds_used > 0);
  if (first < 0 || before.length - first < WEEK) return null;
  const history = before.slice(first);
  return history.reduce((sum, day) => sum + day.seconds_used, 0) / history.length;
}

/** Seconds from now until it is used up; null before a week of history. @param {number} usable @param {Day[]} days */
export function lastsFor(usable, days) {
  const pace = usualPace(days);
  return pace && (usable / pace) * DAY_SECONDS;
}
