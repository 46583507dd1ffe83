/** A table of purchases, and the list of pending payments. */

import { h } from "./dom.js";
import { duration, money, when } from "./format.js";
import { outside } from "./frame.js";
import { COMMON, PURCHASE_STATES, PURCHASES } from "./sentences.js";
import { table } from "./table.js";

/**
 * @typedef {{date: string, label: string, amount_cents: number, currency: string, seconds: number, status: string,
 *   receipt_url: string | null}} Purchase
 */

const COLUMNS = [
  { name: PURCHASES.columns.date },
  { name: PURCHASES.columns.what },
  { name: PURCHASES.columns.bought, figure: true, label: true },
  { name: PURCHASES.columns.paid, figure: true, label: true },
  { name: PURCHASES.columns.state },
  { name: PURCHASES.columns.receipt },
];
const KINDS = { paid: "good", pending: "warn", failed: "bad", disputed: "warn" };

/** @param {Purchase[]} purchases newest first */
export function purchaseTable(purchases) {
  return table(PURCHASES.caption, COLUMNS, purchases.map(row));
}

/** Return a link to the packages. */
export function noPurchases() {
  const buy = h("a", { class: "button quiet", href: "/dashboard#buy" }, COMMON.buyMinutes);
  return h("div", { class: "empty" }, h("p", {}, PURCHASES.none), buy);
}

/** Show pending payments, each with what happens next. Return the seconds that they will bring.
 * @param {Element} list @param {Purchase[]} purchases */
export function showPending(list, purchases) {
  const found = purchases.filter(({ status }) => status === "pending");
  list.replaceChildren(...found.map(pending));
  return found.reduce((sum, { seconds }) => sum + seconds, 0);
}

function pending({ amount_cents, currency, seconds, date }) {
  const what = PURCHASES.pending(money(amount_cents, currency), seconds, date);
  return h(
    "li",
    { class: "bar" },
    h(
      "div",
      {},
      h("p", {}, h("strong", { class: "tag warn" }, PURCHASE_STATES.pending)),
      h("p", { class: "small" }, what, " ", h("span", { class: "muted" }, PURCHASES.pendingNext)),
    ),
  );
}

function row({ date, label, amount_cents, currency, seconds, status, receipt_url }) {
  return [
    when(date),
    h("span", { class: "break" }, label),
    duration(seconds),
    money(amount_cents, currency),
    h("span", { class: `tag wraps ${KINDS[status] ?? ""}` }, PURCHASE_STATES[status] ?? status),
    outside(receipt_url, PURCHASES.receipt) ?? h("span", { class: "muted" }, PURCHASES.noReceipt),
  ];
}
