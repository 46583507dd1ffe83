/** The status page: takes over a new report without a reload. */

import { byId } from "./dom.js";
import "./frame.js";
import { poll } from "./poll.js";

const EVERY = 30_000;
const PATIENCE = 15_000;

/** Takes the newest report out of the page as the service sends it now. What has not changed is not announced again. */
async function refresh() {
  try {
    const answer = await fetch("/status", { headers: { Accept: "text/html" }, signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const [now, then] = [page.querySelectorAll("#report > *"), byId("report").children];
    for (const [index, part] of [...then].entries()) if (!part.isEqualNode(now[index])) part.replaceWith(now[index]);
    byId("away").hidden = true;
  } catch (error) {
    byId("away").hidden = false;
    throw error;
  }
}

setTimeout(poll(refresh, EVERY), EVERY);
