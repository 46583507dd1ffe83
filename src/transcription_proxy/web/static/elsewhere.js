/** Finds live captions of this account in other tabs or on other devices, and moves them here. */

import { api } from "./api.js";
import { ELSEWHERE } from "./sentences.js";
import { liveSessions } from "./sessions.js";
import { forgetOpened, liveTabs, moveTabs, openedHere } from "./tabs.js";

/** How long a start waits for the answer. */
const TIMEOUT_MS = 3000;

/**
 * @typedef {{id: string, since: string, tab: boolean}} Place where captions are live; `id` is empty before the session opens
 * `left`: sessions of this browser that may be ended without asking: those of closed tabs that the service has not seen
 * end yet, and previews of the overlay.
 * @typedef {{places: Place[], left: string[]}} Elsewhere
 */

/** Thrown at a start when captions are live elsewhere, so that the user decides. */
export class LiveElsewhere extends Error {
  /** @param {Elsewhere} found */
  constructor(found) {
    super();
    this.found = found;
  }
}

/** Return where captions are live apart from this page. If the service fails, return only this browser's tabs. @returns {Promise<Elsewhere>} */
export async function elsewhere() {
  const [all, tabs] = await Promise.all([liveSessions(TIMEOUT_MS).catch(() => []), liveTabs()]);
  const running = all.filter(({ reason }) => !reason);
  const opened = openedHere();
  const inTabs = tabs.flatMap(({ ids }) => ids);
  forgetOpened(opened.filter((id) => !inTabs.includes(id) && !running.some((session) => session.id === id)));
  const others = running.filter(({ id }) => !inTabs.includes(id) && !opened.includes(id));
  return {
    places: [
      ...tabs.map(({ ids, since }) => ({ id: ids.at(-1) ?? "", since, tab: true })),
      ...others.map(({ id, started_at }) => ({ id, since: started_at, tab: false })),
    ],
    left: running.map(({ id }) => id).filter((id) => !inTabs.includes(id) && opened.includes(id)),
  };
}

/** Return the sentence about these places. @param {Place[]} places */
export function whereLive(places) {
  const [{ since, tab }] = places;
  if (places.length > 1) return ELSEWHERE.several(places.length);
  return tab ? ELSEWHERE.tab(since) : ELSEWHERE.device(since);
}

/**
 * End captions elsewhere and sessions of closed tabs, all but one session, which the next one replaces.
 * @param {Elsewhere} found @param {boolean} moving false: captions elsewhere continue
 * @returns {Promise<string | undefined>} the id of the session to replace
 */
export async function makeRoom({ places, left }, moving) {
  if (moving) moveTabs();
  const ending = moving ? [...places.map(({ id }) => id).filter(Boolean), ...left] : left;
  const [first, ...rest] = ending;
  await Promise.all(rest.map((id) => api("DELETE", `/account/sessions/${encodeURIComponent(id)}`).catch(() => {})));
  return first;
}
