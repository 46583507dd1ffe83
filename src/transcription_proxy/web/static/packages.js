/** The packages for sale, as cards. */

import { failed, h, replace } from "./dom.js";
import { money } from "./format.js";
import { request } from "./http.js";
import { PACKAGES } from "./sentences.js";

/** @typedef {{id: string, label: string, seconds: number, price_cents: number, currency: string,
 *   best_value?: boolean}} Package */

/** @returns {Promise<Package[]>} */
export async function packages() {
  return (await request("GET", "/billing/packages")).packages;
}

/**
 * Fill the list. `action` returns the foot of a card; `remark` returns a line below its length.
 * @param {Element} list @param {Package[]} offered
 * @param {(item: Package) => Node} action @param {(item: Package) => string} [remark]
 */
export function showPackages(list, offered, action, remark = () => "") {
  if (!offered.length) replace(list, h("li", { class: "empty" }, PACKAGES.none));
  else replace(list, ...offered.map((item) => card(item, action(item), remark(item))));
}

/** @param {Element} list @param {string} sentence @param {() => void} again */
export function noPackages(list, sentence, again) {
  replace(list, h("li", {}, failed(PACKAGES.failed(sentence), again)));
}

function card(item, action, remark) {
  return h(
    "li",
    { class: "card package" },
    h(
      "div",
      { class: "stack tight" },
      h("div", { class: "row apart heading" }, h("h3", { class: "break" }, item.label), item.best_value && badge()),
      h("p", { class: "price" }, money(item.price_cents, item.currency)),
      h("p", { class: "muted small" }, PACKAGES.worth(item.seconds, hourly(item))),
      remark && h("p", { class: "small" }, remark),
    ),
    action,
  );
}

function badge() {
  return h("p", { class: "badge" }, PACKAGES.best);
}

function hourly({ price_cents, seconds, currency }) {
  return money((price_cents * 3600) / seconds, currency);
}
