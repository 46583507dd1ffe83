/** The dashboard: what is left, where it went, what runs now, and more of it to buy. */

import { api } from "./api.js";
import { afterDebt, Pace, showBalance, warnings } from "./balance.js";
import { Chart } from "./chart.js";
import { bar, byId, h, notice, replace } from "./dom.js";
import { ZONE } from "./format.js";
import { site } from "./frame.js";
import { noPackages, packages, showPackages } from "./packages.js";
import { poll } from "./poll.js";
import { COMMON, DASHBOARD } from "./sentences.js";
import { LiveList, liveSessions, sessionTable } from "./sessions.js";

const EVERY = 4000;
/** How long the days and sessions below may be old while nothing happens. */
const USAGE_EVERY = 60_000;

const chart = new Chart(byId("chart"));
const live = new LiveList(byId("live-list"), byId("live").querySelector(".alert"), () => look());
const pace = new Pace();
/** @type {import("./balance.js").Balance | null} */
let balance = null;
/** @type {import("./balance.js").Day[]} */
let days = [];
/** @type {import("./packages.js").Package[] | null} */
let offered = null;
let said = "";
let seen = { ids: "", at: -Infinity };

/** The balance and the live sessions; the usage too, when a session came or went. */
async function turn() {
  try {
    const [left, sessions] = await Promise.all([api("GET", "/billing/balance"), liveSessions()]);
    const ids = sessions.map((session) => session.id).join();
    const changed = ids !== seen.ids || performance.now() - seen.at > USAGE_EVERY;
    if (changed) await usage();
    seen = changed ? { ids, at: performance.now() } : seen;
    showNow(left, sessions);
  } catch (failure) {
    say([behind(COMMON.outOfDate(failure.message))], failure.message);
    if (!balance) unknown();
    throw failure;
  }
}

function showNow(left, sessions) {
  const debtChanged =
    balance?.seconds_remaining !== left.seconds_remaining &&
    Math.min(left.seconds_remaining, balance?.seconds_remaining ?? 0) < 0;
  balance = left;
  if (sessions.length) pace.look(left.seconds_remaining, performance.now() / 1000);
  else pace.forget();
  showBalance(byId("balance"), left, sessions.length, pace.rate, days);
  const texts = warnings(left);
  say(texts, texts.map((text) => text.textContent).join());
  live.show(sessions);
  idle(!sessions.length && !texts.length);
  if (debtChanged) showShop();
}

/** Warnings are put up again only when they say something else, so that nobody hears them twice. */
function say(boxes, text) {
  if (text !== said) replace(byId("alerts"), ...boxes);
  said = text;
}

function behind(sentence) {
  idle(false);
  const again = h("button", { type: "button", class: "button quiet", onclick: look }, COMMON.tryAgain);
  return bar("bad", h("p", {}, sentence), again);
}

/** What to do next: shown while nothing runs and nothing is wrong. @param {boolean} shown */
function idle(shown) {
  document.getElementById("loading")?.remove();
  byId("idle").hidden = !shown;
}

async function usage() {
  const found = await inTimeZone(ZONE);
  days = found.days;
  chart.show(days);
  replace(byId("sessions"), found.sessions.length ? sessionTable(found.sessions) : first());
}

/** Nothing could be loaded so far: says so in the places of all. */
function unknown() {
  for (const id of ["balance", "chart", "sessions"]) replace(byId(id), h("p", { class: "muted" }, DASHBOARD.unknown));
}

async function inTimeZone(zone) {
  try {
    return await api("GET", `/account/usage?tz=${encodeURIComponent(zone)}`);
  } catch (failure) {
    if (failure.code !== "invalid_timezone") throw failure;
    return api("GET", "/account/usage");
  }
}

/** What to do first. */
function first() {
  const tryIt = h("a", { class: "button quiet", href: "/captions" }, COMMON.tryInBrowser);
  return h("div", { class: "empty" }, h("p", {}, DASHBOARD.noSessions), tryIt);
}

async function shop() {
  try {
    offered = await packages();
    showShop();
  } catch (failure) {
    noPackages(byId("packages"), failure.message, shop);
  }
}

function showShop() {
  if (offered)
    showPackages(byId("packages"), offered, buyButton, (item) =>
      afterDebt(balance?.seconds_remaining ?? 0, item.seconds),
    );
}

function buyButton(item) {
  const button = h(
    "button",
    { type: "button", class: "button soft wide", "aria-label": DASHBOARD.buyThis(item.label), onclick: () => buy(item, button) },
    DASHBOARD.buy,
  );
  return button;
}

async function buy(item, button) {
  if (button.getAttribute("aria-disabled")) return;
  const alert = byId("buy").querySelector(".alert");
  replace(alert);
  button.setAttribute("aria-disabled", "true");
  try {
    const { checkout_url } = await api("POST", "/billing/checkout", { body: { package_id: item.id } });
    if (!/^https?:\/\//.test(checkout_url)) throw new Error("The checkout is no address of the web");
    location.assign(checkout_url);
  } catch (failure) {
    replace(alert, notice("bad", failure.status === undefined ? DASHBOARD.noCheckout : failure.message));
  } finally {
    button.removeAttribute("aria-disabled");
  }
}

setTimeout(() => {
  if (balance || said) return;
  idle(false);
  say([bar("", h("p", {}, DASHBOARD.waiting))], DASHBOARD.waiting);
}, EVERY);
const look = poll(turn, EVERY);
look();
shop();
site.then(({ sandbox }) => {
  byId("sandbox").hidden = !sandbox;
});
