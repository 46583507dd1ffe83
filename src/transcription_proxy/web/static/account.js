/** The account page: email, password, live sessions and purchases. */

import { api } from "./api.js";
import { byId, failed, find, h, notice, replace } from "./dom.js";
import { form, passwordProblem } from "./form.js";
import { date, duration } from "./format.js";
import "./frame.js";
import { poll } from "./poll.js";
import { noPurchases, purchaseTable } from "./purchases.js";
import { ACCOUNT, COMMON, FORMS, PURCHASES } from "./sentences.js";
import { keep, session } from "./session.js";
import { LiveList, liveSessions } from "./sessions.js";

/** The fragment under which the overlay's settings used to be. */
if (location.hash === "#overlay") location.replace("/overlay/setup");

const POLL_MS = 4000;
/** Rows of the short list of purchases. */
const LISTED = 5;

const live = new LiveList(byId("live-list"), byId("live-alert"), () => look());
const element = form("change", {
  check: ({ current, new: chosen }) => ({
    current: current ? "" : FORMS.currentMissing,
    new: passwordProblem(chosen),
  }),
  async send({ current, new: chosen }) {
    const tokens = await api("POST", "/account/password", { body: { current, new: chosen } });
    keep(tokens, session()?.email ?? "");
    element.reset();
    replace(find(element, ".alert"), notice("info", ACCOUNT.passwordChanged));
  },
  fields: { invalid_credentials: "current", weak_password: "new" },
});
/** @type {HTMLInputElement} */ (byId("username")).value = session()?.email ?? "";
let isLive = false;
let isTouched = false;
element.addEventListener("focusin", () => {
  isTouched = true;
  warn();
});

/** Warn that a new password ends live sessions, once somebody types one. Until then nothing on the page moves. */
function warn() {
  byId("change-live").hidden = !(isLive && isTouched);
}

async function you() {
  replace(byId("you-alert"));
  try {
    const me = await api("GET", "/account/me");
    replace(byId("email"), me.email);
    replace(byId("since"), date(me.created_at));
    replace(byId("minutes"), duration(Math.max(0, me.credits.seconds_remaining)));
  } catch (failure) {
    for (const id of ["email", "since", "minutes"]) replace(byId(id), ACCOUNT.unknown);
    replace(byId("you-alert"), failed(failure.message, you));
  }
}

async function turn() {
  try {
    const sessions = await liveSessions();
    live.show(sessions, h("p", { class: "muted" }, ACCOUNT.nothingLive));
    isLive = sessions.length > 0;
    warn();
    replace(byId("live-alert"));
  } catch (failure) {
    if (byId("live-list").querySelector(".bone")) live.show([]);
    replace(byId("live-alert"), failed(COMMON.outOfDate(failure.message), look));
    throw failure;
  }
}

async function purchases() {
  const place = byId("purchases");
  try {
    const found = (await api("GET", `/account/purchases?limit=${LISTED}`)).purchases;
    if (found.length) replace(place, purchaseTable(found), all());
    else replace(place, noPurchases());
  } catch (failure) {
    replace(place, failed(failure.message, purchases));
  }
}

function all() {
  return h("p", {}, h("a", { class: "more", href: "/purchases" }, PURCHASES.all));
}

const look = poll(turn, POLL_MS);
look();
you();
purchases();
