/** Where else this account is live: in another tab of this browser, or on another device. And how captions move here. */

import { api } from "./api.js";
import { ELSEWHERE } from "./sentences.js";
import { liveSessions } from "./sessions.js";
import { forgetOpened, liveTabs, moveTabs, openedHere } from "./tabs.js";

/** How long a start waits for the answer, in ms. */
const PATIENCE = 3000;

/**
 * @typedef {{id: string, since: string, tab: boolean}} Place one that is live; `id` is empty before its session is open
 * `left`: sessions of this browser that may end unasked: of closed tabs, which the service has not seen end yet, and
 * previews of the overlay.
 * @typedef {{places: Place[], left: string[]}} Elsewhere
 */

/** A start that waits for a decision. */
export class LiveElsewhere extends Error {
  /** @param {Elsewhere} found */
  constructor(found) {
    super();
    this.found = found;
  }
}

/** What is live apart from this page. Where the service does not say, only this browser's tabs are known. @returns {Promise<Elsewhere>} */
export async function elsewhere() {
  const [all, tabs] = await Promise.all([liveSessions(PATIENCE).catch(() => []), liveTabs()]);
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

/** Which sentence says it. @param {Place[]} places */
export function whereLive(places) {
  const [{ since, tab }] = places;
  if (places.length > 1) return ELSEWHERE.several(places.length);
  return tab ? ELSEWHERE.tab(since) : ELSEWHERE.device(since);
}

/**
 * End what is live elsewhere, and what closed tabs left: all but one session, which the next one replaces.
 * @param {Elsewhere} found @param {boolean} moving false: it goes on beside this page
 * @returns {Promise<string | undefined>} the id of the session to replace
 */
export async function makeRoom({ places, left }, moving) {
  if (moving) moveTabs();
  const ending = moving ? [...places.map(({ id }) => id).filter(Boolean), ...left] : left;
  const [first, ...rest] = ending;
  await Promise.all(rest.map((id) => api("DELETE", `/account/sessions/${encodeURIComponent(id)}`).catch(() => {})));
  return first;
}
