/** The top of the dashboard: live captions or the button to start them, and warnings. The start button never moves,
 * whatever is shown beside it. */

import { warnings } from "./balance.js";
import { Countdown } from "./countdown.js";
import { bar, byId, h, replace } from "./dom.js";
import { BALANCE, COMMON, DASHBOARD } from "./sentences.js";

/** @typedef {import("./balance.js").Warning} Warning */

const BUY = "#buy";
const CAPTIONS = "/captions";

export class Now {
  #countdown = new Countdown();
  #said = "";
  #counting = false;

  /** Whether anything is shown yet. */
  get speaks() {
    return this.#said !== "";
  }

  /** @param {import("./balance.js").Balance} balance @param {number} live sessions @param {number | null} rate */
  show(balance, live, rate) {
    this.#countdown.update(balance.seconds_remaining, performance.now() / 1000, live && (rate ?? live));
    this.#counting = live > 0;
    const found = warnings(balance);
    this.#idle(!live, found);
    this.#say(live ? found : found.slice(1));
  }

  /** Update the seconds left, also in the warning. */
  count() {
    const left = this.#countdown.left(performance.now() / 1000);
    const place = this.#counting && byId("alerts").querySelector("[data-count]");
    if (place && left > 0) place.textContent = BALANCE.low(left);
    return left;
  }

  /** Show a problem of the page itself, such as a service that it can't reach. @param {string} sentence @param {(() => void) | null} [again] */
  wrong(sentence, again = null) {
    document.getElementById("loading")?.remove();
    const action = again && h("button", { type: "button", class: "button quiet", onclick: again }, COMMON.tryAgain);
    this.#put(sentence, bar(again ? "bad" : "", h("p", {}, sentence), action));
  }

  /** @param {boolean} shown @param {Warning[]} found */
  #idle(shown, [first]) {
    document.getElementById("loading")?.remove();
    const place = byId("idle");
    place.hidden = !shown;
    place.className = `bar ${first?.kind ?? ""}`;
    const isPossible = !first || first.usable > 0;
    const start = byId("start");
    start.setAttribute("href", isPossible ? CAPTIONS : BUY);
    start.textContent = isPossible ? COMMON.startCaptions : COMMON.buyMinutes;
    const buy = first && isPossible && h("a", { href: BUY }, COMMON.buyMinutes);
    const [title, text] = first ? [first.title, first.text] : [DASHBOARD.off, DASHBOARD.startHere];
    const key = [title, text, isPossible].join();
    if (byId("idle-text").dataset.key === key) return;
    byId("idle-text").dataset.key = key;
    replace(
      byId("idle-text"),
      h("p", {}, h("strong", {}, title)),
      h("p", { class: `small ${first ? "" : "muted"}` }, text, buy && " ", buy),
    );
  }

  /** Redraw warnings only when they change, so that screen readers do not repeat them. @param {Warning[]} found */
  #say(found) {
    const key = found.map(({ about, title }) => (about === "low" ? about : title)).join();
    this.#put(key, ...found.map(warningBar));
  }

  #put(key, ...boxes) {
    if (key !== this.#said) replace(byId("alerts"), ...boxes);
    this.#said = key;
  }
}

/** Return a warning's bar. Screen readers announce its title once, not each count. @param {Warning} warning */
function warningBar({ kind, about, title, text }) {
  const counts = about === "low" ? { "data-count": "", "aria-live": "off" } : {};
  const buy = h("a", { class: "button", href: BUY }, COMMON.buyMinutes);
  return bar(kind, h("p", {}, h("strong", counts, title), " ", text), buy);
}
