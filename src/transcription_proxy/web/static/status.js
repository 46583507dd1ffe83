/** The status page: takes over a new report without a reload. */

import { byId } from "./dom.js";
import "./frame.js";
import { poll } from "./poll.js";

const EVERY = 30_000;
const PATIENCE = 15_000;

/** Replaces what has changed, and nothing else: a screen reader announces a report that is written again.
 * @param {Element} shown @param {Element | null} sent */
function take(shown, sent) {
  if (!sent) throw new Error(`The page has no #${shown.id}`);
  if (!shown.isEqualNode(sent)) shown.replaceChildren(...sent.childNodes);
}

/** Takes the newest report out of the page as the service sends it now. */
async function refresh() {
  try {
    const answer = await fetch("/status", { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["report", "checked"]) take(byId(id), page.getElementById(id));
    byId("away").hidden = true;
  } catch (error) {
    byId("away").hidden = false;
    throw error;
  }
}

setTimeout(poll(refresh, EVERY), EVERY);
