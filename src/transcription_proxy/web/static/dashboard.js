/** The dashboard: balance, usage, live sessions and packages. */

import { api } from "./api.js";
import { Pace, showBalance, showFigure } from "./balance.js";
import { byId, find, h, replace } from "./dom.js";
import { site } from "./frame.js";
import { Now } from "./now.js";
import { PackagesPanel } from "./packages-panel.js";
import { poll } from "./poll.js";
import { purchaseTable, showPending } from "./purchases.js";
import { COMMON, CONFIRM, DASHBOARD, PURCHASES } from "./sentences.js";
import { LiveList, liveSessions, noSessions, sessionTable } from "./sessions.js";
import { MONTH, usage, UsagePanel } from "./usage.js";

const POLL_MS = 4000;
/** How often the usage and lists are loaded while nothing changes. */
const HISTORY_MS = 60_000;
/** Rows of the short lists. */
const LISTED = 5;

const now = new Now();
const panel = new UsagePanel();
const packages = new PackagesPanel();
const live = new LiveList(byId("live-list"), find(byId("live"), ".alert"), () => look());
const pace = new Pace();
/** @type {import("./balance.js").Balance | null} */
let balance = null;
/** @type {import("./balance.js").Day[]} */
let days = [];
/** Seconds of pending payments. */
let pending = 0;
let counting = 0;
let seen = { key: "", at: -Infinity };

/** Load balance and live sessions, and everything else if a session began or ended or a purchase arrived. */
async function turn() {
  try {
    const [left, sessions] = await Promise.all([api("GET", "/billing/balance"), liveSessions()]);
    const arrived = balance !== null && left.seconds_remaining > balance.seconds_remaining;
    const key = sessions.map((session) => session.id).join();
    const isDue = arrived || key !== seen.key || performance.now() - seen.at > HISTORY_MS;
    if (isDue) await past();
    seen = isDue ? { key, at: performance.now() } : seen;
    show(left, sessions);
  } catch (failure) {
    now.wrong(COMMON.outOfDate(failure.message), look);
    if (!balance) unknown();
    throw failure;
  }
}

function show(left, sessions) {
  balance = left;
  if (sessions.length) pace.add(left.seconds_remaining, performance.now() / 1000);
  else pace.forget();
  showBalance(byId("balance"), left, sessions.length, pace.rate, days, pending);
  now.show(left, sessions.length, pace.rate);
  live.show(sessions);
  packages.mind(left.seconds_remaining);
  clearInterval(counting);
  if (sessions.length) counting = setInterval(count, 1000);
  count();
}

/** Update the figures between two loads. */
function count() {
  showFigure(byId("balance"), now.count());
}

/** Load past usage and purchases. */
async function past() {
  const [month, { purchases }] = await Promise.all([usage(MONTH), api("GET", "/account/purchases")]);
  days = month.days;
  await panel.refresh(month);
  const sessions = month.sessions.slice(0, LISTED);
  replace(byId("sessions"), sessions.length ? sessionTable(sessions) : noSessions());
  replace(byId("purchases"), purchases.length ? purchaseTable(purchases.slice(0, LISTED)) : nothingBought());
  pending = showPending(byId("pending"), purchases);
}

/** Return the text of an empty list of purchases. The packages are just above it. */
function nothingBought() {
  return h("p", { class: "muted" }, PURCHASES.none);
}

/** Show in all places that nothing could be loaded so far. */
function unknown() {
  for (const id of ["balance", "sessions", "purchases"]) replace(byId(id), h("p", { class: "muted" }, DASHBOARD.unknown));
  panel.unknown(DASHBOARD.unknown);
}

setTimeout(() => {
  if (!balance && !now.speaks) now.wrong(DASHBOARD.waiting);
}, POLL_MS);
const look = poll(turn, POLL_MS);
look();
packages.load();
site.then(({ sandbox, trial_seconds, trial_needs_confirmation }) => {
  byId("sandbox").hidden = !sandbox;
  if (trial_seconds && trial_needs_confirmation) askToConfirm(trial_seconds);
});

/** Says that the trial waits for the email's confirmation, if it does. @param {number} seconds */
async function askToConfirm(seconds) {
  const { confirmed } = await api("GET", "/account/me");
  if (confirmed !== false) return;
  const again = h("button", { class: "link", type: "button" }, CONFIRM.again);
  replace(byId("confirm"), `${CONFIRM.needed(seconds)} `, again);
  again.addEventListener("click", async () => {
    try {
      const { message } = await api("POST", "/account/confirmation");
      replace(byId("confirm"), message);
    } catch (failure) {
      replace(byId("confirm"), failure.message);
    }
  });
}
