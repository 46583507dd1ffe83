/** After the payment: waits until its minutes have arrived, and shows the new balance. */

import { api } from "./api.js";
import { byId, failed, h, replace } from "./dom.js";
import { duration, inMinutes } from "./format.js";
import "./frame.js";
import { poll } from "./poll.js";

const EVERY = 2000;
/** After so many looks it is said that this takes longer than usual. */
const LONG = 15;

const id = new URLSearchParams(location.search).get("session_id");
let looks = 0;
let shown = "";

async function turn() {
  if (shown === "paid") return;
  try {
    const { status, seconds } = await api("GET", `/billing/checkout/${encodeURIComponent(id ?? "")}`);
    looks += 1;
    await show(status, seconds);
  } catch (failure) {
    shown = failure.message;
    if (failure.status === 404)
      say("Unknown purchase", "There is no purchase of yours with this number.", toDashboard());
    else replace(byId("state"), failed(`${failure.message} Your payment is safe: minutes arrive by themselves.`, look));
    throw failure;
  }
}

async function show(status, seconds) {
  const state = status === "open" && looks > LONG ? "late" : status;
  if (state === shown) return;
  if (state === "paid") await paid(seconds);
  else if (state === "pending")
    say(
      "Your bank takes a while",
      "The payment is under way. Your minutes arrive when the bank has paid, which may take days. You can close this page.",
      toDashboard(),
    );
  else if (state === "failed") say("The payment failed", "Nothing was charged.", chooseAgain());
  else if (state === "expired")
    say("This purchase has expired", "It was not paid in time, and nothing was charged.", chooseAgain());
  else if (state === "late")
    say(
      "Still waiting",
      "It takes longer than usual. Nothing is lost: your minutes arrive by themselves.",
      toDashboard(),
    );
  shown = state;
}

async function paid(seconds) {
  const { minutes_remaining, seconds_remaining } = await api("GET", "/billing/balance");
  const figure = h(
    "p",
    { class: "meter", id: "minutes" },
    minutes_remaining.toLocaleString(),
    h("small", {}, "minutes left"),
  );
  const debt = seconds_remaining < 0 ? ` It paid off what was owed; ${duration(-seconds_remaining)} still are.` : "";
  say(`${inMinutes(seconds)} added`, `Thank you. They are yours from now on.${debt}`, figure, toDashboard(), start());
}

function say(title, text, ...more) {
  byId("title").textContent = title;
  replace(byId("state"), h("p", {}, text), ...more);
}

function toDashboard() {
  return h("a", { class: "button", href: "/dashboard" }, "To the dashboard");
}

function start() {
  return h("a", { class: "button quiet", href: "/try" }, "Start captions");
}

function chooseAgain() {
  return h("a", { class: "button", href: "/dashboard#buy" }, "Choose again");
}

const look = poll(turn, EVERY);
if (id) look();
else say("No purchase", "This page belongs to a purchase, and its address names none.", toDashboard());
