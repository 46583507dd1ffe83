/** The page after a payment: waits until the purchase is credited, and shows the new balance. */

import { api } from "./api.js";
import { byId, failed, h, replace } from "./dom.js";
import { grouped } from "./format.js";
import { outside } from "./frame.js";
import { poll } from "./poll.js";
import { COMMON, SUCCESS } from "./sentences.js";

const POLL_MS = 2000;
/** After this many polls, the page says that the payment takes longer than usual. */
const SLOW_POLLS = 15;
/** How often the page polls for the receipt, which follows the payment. */
const RECEIPT_POLLS = 10;

const id = new URLSearchParams(location.search).get("session_id");
let polls = 0;
let shown = "";
let receiptPolls = 0;

async function turn() {
  if (shown === "paid" && receiptPolls >= RECEIPT_POLLS) return;
  try {
    const { status, seconds, receipt_url } = await api("GET", `/billing/checkout/${encodeURIComponent(id ?? "")}`);
    polls += 1;
    await show(status, seconds);
    if (status === "paid") linkReceipt(receipt_url);
  } catch (failure) {
    if (shown === "paid") throw failure;
    shown = failure.message;
    if (failure.status === 404) say(SUCCESS.unknown, toDashboard());
    else replace(byId("state"), failed(SUCCESS.safe(failure.message), look));
    throw failure;
  }
}

async function show(status, seconds) {
  const state = status === "open" && polls > SLOW_POLLS ? "late" : status;
  if (state === shown) return;
  if (state === "paid") await paid(seconds);
  else if (state === "failed" || state === "expired") say(SUCCESS[state], toPackages());
  else if (state === "pending" || state === "late") say(SUCCESS[state], toDashboard());
  shown = state;
}

async function paid(seconds) {
  const { minutes_remaining, seconds_remaining } = await api("GET", "/billing/balance");
  const [number, unit] = [grouped(minutes_remaining), h("small", {}, SUCCESS.minutesLeft)];
  const figure = h("p", { class: "meter", id: "minutes" }, number, unit);
  const thanks = seconds_remaining < 0 ? SUCCESS.stillOwed(-seconds_remaining) : SUCCESS.thanks;
  const next = h("div", { class: "row halves" }, start(), receipt());
  say([SUCCESS.added(seconds), thanks], figure, next, h("p", {}, h("a", { href: "/dashboard" }, SUCCESS.toDashboard)));
}

/** Link to the receipt once it exists. @param {string | undefined} url */
function linkReceipt(url) {
  receiptPolls = url ? RECEIPT_POLLS : receiptPolls + 1;
  const href = outside(url ?? null, "")?.href;
  if (href) byId("receipt").setAttribute("href", href);
}

/** @param {string[]} sentences a title and a text @param {...Node} more */
function say([title, text], ...more) {
  byId("title").textContent = title;
  replace(byId("state"), h("p", {}, text), ...more);
}

function toDashboard() {
  return h("a", { class: "button", href: "/dashboard" }, SUCCESS.toDashboard);
}

function start() {
  return h("a", { class: "button", href: "/captions" }, COMMON.startCaptions);
}

/** Return a link to the purchases, which list the receipt, until its URL is known. */
function receipt() {
  return h("a", { class: "button quiet", id: "receipt", href: "/purchases" }, SUCCESS.receipt);
}

function toPackages() {
  return h("a", { class: "button", href: "/dashboard#buy" }, SUCCESS.toPackages);
}

const look = poll(turn, POLL_MS);
if (id) look();
else say(SUCCESS.none, toDashboard());
