/** The dashboard: what is left, where it went, what runs now, and more of it to buy. */

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

const EVERY = 4000;
/** How long what is below may be old while nothing happens. */
const HISTORY_EVERY = 60_000;
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
/** Seconds of payments that are under way. */
let pending = 0;
let counting = 0;
let seen = { key: "", at: -Infinity };

/** The balance and the live sessions; the rest too, when a session came or went, or minutes arrived. */
async function turn() {
  try {
    const [left, sessions] = await Promise.all([api("GET", "/billing/balance"), liveSessions()]);
    const arrived = balance !== null && left.seconds_remaining > balance.seconds_remaining;
    const key = sessions.map((session) => session.id).join();
    const isDue = arrived || key !== seen.key || performance.now() - seen.at > HISTORY_EVERY;
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
  if (sessions.length) pace.look(left.seconds_remaining, performance.now() / 1000);
  else pace.forget();
  showBalance(byId("balance"), left, sessions.length, pace.rate, days, pending);
  now.show(left, sessions.length, pace.rate);
  live.show(sessions);
  packages.mind(left.seconds_remaining);
  clearInterval(counting);
  if (sessions.length) counting = setInterval(count, 1000);
  count();
}

/** Between two looks. */
function count() {
  showFigure(byId("balance"), now.count());
}

/** What was used and bought until now. */
async function past() {
  const [month, { purchases }] = await Promise.all([usage(MONTH), api("GET", "/account/purchases")]);
  days = month.days;
  await panel.refresh(month);
  const sessions = month.sessions.slice(0, LISTED);
  replace(byId("sessions"), sessions.length ? sessionTable(sessions) : noSessions());
  replace(byId("purchases"), purchases.length ? purchaseTable(purchases.slice(0, LISTED)) : nothingBought());
  pending = showPending(byId("pending"), purchases);
}

/** The packages are just above. */
function nothingBought() {
  return h("p", { class: "muted" }, PURCHASES.none);
}

/** Nothing could be loaded so far: says so in the places of all. */
function unknown() {
  for (const id of ["balance", "sessions", "purchases"]) replace(byId(id), h("p", { class: "muted" }, DASHBOARD.unknown));
  panel.unknown(DASHBOARD.unknown);
}

setTimeout(() => {
  if (!balance && !now.speaks) now.wrong(DASHBOARD.waiting);
}, EVERY);
const look = poll(turn, EVERY);
look();
packages.load();
site.then(({ sandbox, trial_seconds, trial_needs_confirmation }) => {
  byId("sandbox").hidden = !sandbox;
  if (trial_seconds && trial_needs_confirmation) askToConfirm(trial_seconds);
});

/** Says that the trial waits for the email's confirmation, if it does. @param {number} seconds */
async function askToConfirm(seconds) {
  const { confirmed } = await api("GET", "/account/me");
  if (confirmed) return;
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
