/** The status page: shows a new report without a reload. */

import { byId } from "./dom.js";
import "./frame.js";
import { poll } from "./poll.js";

const POLL_MS = 30_000;
const TIMEOUT_MS = 15_000;

/** Replace only what has changed, because a screen reader announces everything that is replaced.
 * @param {Element} shown @param {Element | null} sent */
function take(shown, sent) {
  if (!sent) throw new Error(`The page has no #${shown.id}`);
  if (!shown.isEqualNode(sent)) shown.replaceChildren(...sent.childNodes);
}

/** Fetch the page again and show its report. */
async function refresh() {
  try {
    const answer = await fetch("/status", { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(TIMEOUT_MS) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of ["report", "checked"]) take(byId(id), page.getElementById(id));
    byId("away").hidden = true;
  } catch (error) {
    byId("away").hidden = false;
    throw error;
  }
}

setTimeout(poll(refresh, POLL_MS), POLL_MS);
