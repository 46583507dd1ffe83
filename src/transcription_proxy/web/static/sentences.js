/** The sentences of the pages' scripts, by page. A page's fixed text is in its HTML. Sentences that server, client and pages
 * share are in shared-sentences.js, which the server generates. All other text for people is here. */

import { clock, duration, exactly, grouped, inMinutes, money, roughly, when } from "./format.js";
import { END_LABELS, ERROR_SENTENCES, MUTED } from "./shared-sentences.js";

export { END_SENTENCES, ERROR_SENTENCES, PURCHASE_STATES } from "./shared-sentences.js";

export const COMMON = {
  tryAgain: "Try again",
  buyMinutes: "Buy minutes",
  startCaptions: "Start captions",
  tryInBrowser: "Try captions in the browser",
  outOfDate: (why) => `What you see may be out of date. ${why}`,
  left: (seconds) => `${duration(Math.max(0, seconds))} left`,
  unknown: "Unknown",
};

/** Requests without a usable answer. */
export const REQUESTS = {
  slow: "The service is taking too long to respond. Try again in a moment.",
  offline: "You're offline. Check your connection and try again.",
  unreached: "Can't reach the service. Check your connection and try again.",
  tooMany: (seconds) => `Too many attempts. Try again in ${wait(seconds)}.`,
  unavailable: ERROR_SENTENCES.service_unavailable,
  failed: ERROR_SENTENCES.internal,
};

export const FORMS = {
  emailMissing: "Enter your email.",
  emailWrong: "Enter an email address like name@example.com.",
  passwordMissing: "Enter your password.",
  currentMissing: "Enter your current password.",
  passwordShort: "Use at least 8 characters.",
  passwordLong: "Use at most 72 characters.",
};

export const LOGIN = {
  expired: "You've been signed out. Log in to pick up where you left off.",
  first: "Log in to continue.",
  loggedOut: "You're logged out.",
  elsewhere: "You were logged out in another tab.",
  passwordChanged: "Password changed. Log in with your new password.",
};

export const START = {
  spoken: ["wait, somebody is there already", "do you hear that guitar?"],
  buy: "Buy",
  createAccount: "Create account",
  about: (action, label) => `${action}: ${label}`,
  readSource: "Read the source",
  trial: (seconds) => `Your first ${inMinutes(seconds)} are free.`,
};

export const CONFIRM = {
  noToken: "Open the link in the email that we sent you.",
  needed: (seconds) => `Confirm your email to get ${inMinutes(seconds)} of captions for free.`,
  again: "Send the email again",
};

export const REGISTER = {
  taken: "You already have an account. ",
  logIn: "Log in instead.",
  without: "All you need is an email and a password.",
  agreement: "By creating an account, you agree to our ",
  terms: "terms",
  and: " and ",
  privacy: "privacy policy",
};

export const PACKAGES = {
  none: "Nothing is for sale right now.",
  failed: (why) => `Couldn't load prices. ${why}`,
  best: "Best value",
  worth: (seconds, hourly) => `${duration(seconds)} of captions, ${hourly} per hour`,
};

export const BALANCE = {
  unit: (rest) => (rest ? `min ${rest} s` : "min"),
  nothingToUse: "No minutes to use right now.",
  lastsLive: (seconds) => `${sentence(roughly(seconds))} left at the current rate.`,
  lasts: (seconds) => `${sentence(roughly(seconds))} of captions.`,
  lastsAtPace: (seconds) => `Lasts ${roughly(seconds)} at your usual pace.`,
  usedToday: "Used today",
  reserved: "Reserved for live sessions",
  reservedWhy: "Set aside while you're live. What you don't use comes back when captions stop.",
  pending: "Payment pending",
  frozen: "Frozen, payment disputed",
  owed: "Owed",
  debt: (seconds) => `You owe ${duration(seconds)}.`,
  debtWhy: "A payment was reversed. Your next purchase covers this first.",
  frozenNow: (seconds) => `${duration(seconds)} frozen.`,
  frozenWhy: (usable) =>
    usable > 0
      ? `A payment is disputed. You can use ${duration(usable)} until it's settled.`
      : "A payment is disputed. Captions won't start until it's settled.",
  low: (seconds) => `${duration(seconds)} left.`,
  lowWhy: "Captions stop at zero.",
  none: "No minutes left.",
  noneWhy: "Buy minutes to start captions.",
  afterDebt: (owed, rest) =>
    rest > 0
      ? `Covers the ${duration(owed)} you owe and leaves ${duration(rest)}.`
      : `Covers part of what you owe. You'll still owe ${duration(-rest)}.`,
};

export const CHART = {
  label: (days) => `Seconds used and bought on each of the last ${days} days. Use the left and right arrow keys to move between days.`,
  caption: (days) => `Last ${days} days`,
  columns: ["Day", "Used", "Bought", "Other"],
  today: "today",
  used: (seconds) => (seconds ? `${duration(seconds)} used` : "nothing used"),
  bought: (seconds) => `${duration(seconds)} bought`,
  adjusted: (seconds) => (seconds > 0 ? `${duration(seconds)} added` : `${duration(-seconds)} taken back`),
  none: "none",
  empty: (days) => `No usage in the last ${days} days. Your daily usage will show up here.`,
};

export const USAGE = {
  used: "Used",
  sessions: "Sessions",
  spent: "Spent",
  said: (days, { seconds_used, sessions, spent_cents, currency }) =>
    `Last ${days} days: ${duration(seconds_used)} used in ${grouped(sessions)} ${sessions === 1 ? "session" : "sessions"}, ${money(spent_cents, currency)} spent.`,
};

export const DASHBOARD = {
  waiting: "The service is slow to respond. This page will load as soon as it does.",
  unknown: "Not available right now.",
  off: "Captions are off",
  startHere: "Start here in the browser, or from your caption app.",
  buy: "Buy",
  buyThis: (label) => `Buy ${label}`,
  noCheckout: "Couldn't open the checkout. Try again.",
};

export const SESSIONS = {
  columns: { date: "Date", engine: "Engine", length: "Length", billed: "Billed", end: "How it ended" },
  caption: "Sessions, newest first",
  none: "No sessions yet. Try captions in the browser, then add the overlay to OBS.",
  rounding: "Billed time is rounded up to the next second, once per session.",
  live: "Live",
  liveSince: (iso) => `Live since ${clock(iso)}`,
  soFar: (seconds, billed) => `${duration(seconds)} live, ${duration(billed)} billed`,
  end: "End",
  ending: "Ending...",
  endThis: (iso) => `End the session that started at ${clock(iso)}`,
};

/** What happens next with a pending payment. */
const CLEARING = "Your bank is processing the payment. Your minutes arrive once it clears, which can take days.";

export const PURCHASES = {
  columns: { date: "Date", what: "Item", bought: "Amount", paid: "Price", state: "Status", receipt: "Receipt" },
  caption: "Purchases, newest first",
  none: "No purchases yet.",
  receipt: "Receipt",
  noReceipt: "none",
  pending: (price, seconds, iso) => `${price} for ${inMinutes(seconds)}, since ${when(iso)}.`,
  pendingNext: CLEARING,
  all: "All purchases",
};

export const LISTING = {
  range: (newest, oldest) => (newest === oldest ? when(newest) : `${when(newest)} to ${when(oldest)}`),
  none: "Nothing older than this.",
};

export const DOWNLOAD = {
  failed: (why) => `Couldn't download the file. ${why}`,
};

export const ACCOUNT = {
  unknown: "not available",
  passwordChanged: "Password changed. You've been signed out on other devices.",
  nothingLive: "Nothing live right now.",
};

export const KEYS = {
  none: "No API keys yet.",
  created: (day) => `Created ${day}`,
  neverUsed: "never used",
  lastUsed: (moment) => `last used ${moment}`,
  used: (seconds) => `${duration(seconds)} used`,
  limit: (used, limit) => `${duration(used)} of ${duration(limit)} used`,
  dailyLimit: (used, limit) => `${duration(used)} of ${duration(limit)} used today`,
  models: (models) => `only ${models.join(", ")}`,
  revoke: "Revoke",
  revokeThis: (name) => `Revoke ${name}`,
  sure: (name) => `Revoke ${name}? Programs that use it stop working, and its live captions end.`,
  keep: "Keep it",
  nameMissing: "Give the key a name, such as the program that uses it.",
  limitWrong: "Enter whole minutes, or leave this empty.",
  shownOnce: "Copy this key now. We don't show it again.",
  copy: "Copy key",
  copied: "Copied.",
  noCopy: "Your browser didn't allow copying. The key is selected: press Ctrl+C.",
};

export const SUCCESS = {
  late: ["Still waiting", "This is taking longer than usual. Your minutes will arrive on their own."],
  pending: ["Payment pending", `${CLEARING} You can close this page.`],
  failed: ["Payment failed", "You weren't charged."],
  expired: ["Checkout expired", "The payment wasn't completed in time. You weren't charged."],
  unknown: ["Purchase not found", "You have no purchase with this number."],
  none: ["No purchase", "This link is missing the purchase number."],
  safe: (why) => `${why} Your payment is safe. Your minutes will arrive on their own.`,
  added: (seconds) => `${inMinutes(seconds)} added`,
  thanks: "Thanks! They're in your balance now.",
  stillOwed: (seconds) => `Thanks! They went toward what you owe. You still owe ${duration(seconds)}.`,
  minutesLeft: "minutes left",
  receipt: "Receipt",
  toDashboard: "Go to dashboard",
  toPackages: "Back to packages",
};

export const MICROPHONE = {
  blocked: "Microphone blocked. Click the icon next to the address bar, allow the microphone, and try again.",
  insecure: "Browsers allow the microphone on secure pages only. Open this page with https.",
  none: "No microphone found. Plug one in and try again.",
  gone: "That microphone is no longer connected. Choose another one.",
  busy: "The microphone isn't responding. Another app may be using it. Close that app and try again.",
  stuck: "The microphone isn't responding. Unplug it, plug it back in, and try again.",
  failed: (why) => `Couldn't open the microphone: ${why}.`,
  system: "System default",
  unanswered: "Your browser didn't open the microphone. See if it is asking for permission, then try again.",
  noAudio: "Your browser's audio didn't start. Reload this page and try again.",
  unloaded: "Part of this page didn't load. Check your connection and try again.",
  numbered: (number) => `Microphone ${number}`,
  silent: MUTED,
  unplugged: "The microphone was disconnected. Plug it back in, then start again.",
};

export const SETTINGS = {
  failed: (why) => `Couldn't load the models. ${why}`,
  price: (rate) => `1 second of audio = ${rate === 1 ? "1 second" : `${grouped(rate)} seconds`} of your balance.`,
  manyTerms: (most) => `At most ${most} names and words.`,
  longTerm: (most) => `At most ${most} characters per line.`,
  longTerms: (most) => `At most ${most} characters in total.`,
};

export const CAPTIONS = {
  states: {
    idle: "Not listening",
    asking: "Waiting for the microphone",
    opening: "Connecting...",
    live: "Live",
    engine: "Reconnecting the speech engine. Nothing you say is lost.",
    away: "Reconnecting. Nothing you say is lost.",
    ending: "Finishing up...",
  },
  late: (seconds) => `Captions are ${seconds} s behind`,
  buttons: { idle: "Start", asking: "Cancel", ending: "Stopping..." },
  stop: "Stop",
  used: (seconds) => `${duration(seconds)} used`,
  leftUnknown: "balance not available",
  low: (seconds) => (seconds > 0 ? `${duration(seconds)} left. Captions stop at zero.` : "No minutes left."),
  gap: (seconds) => `The connection was down for too long. ${exactly(seconds)} of audio were lost.`,
  noMinutes: "You have no minutes to use, so captions can't start.",
  receipt: (audio, used) => `${exactly(audio)} captioned, ${exactly(used, 0)} billed`,
  roughReceipt: (used) => `About ${duration(used)} billed`,
  rounded: " (rounded up to the next second)",
  inSessions: (count) => ` in ${count} sessions`,
  copied: "Copied.",
  noCopy: "Your browser blocked copying. Download the text instead.",
  saved: (name) => `Saved as ${name}.`,
  fullScreen: "Full screen",
  leaveFullScreen: "Exit full screen",
  speaker: (number) => `Speaker ${number}: `,
};

/** The first steps on the captions page. */
export const FIRST = {
  done: "Done:",
  allowed: "Allowed.",
  testing: "Sending a test line...",
  noCopy: "Your browser blocked copying. Copy the URL on the Overlay page instead.",
  finished: "You're all set. Press Start whenever you go live.",
};

/** Captions that are live elsewhere. */
export const ELSEWHERE = {
  tab: (iso) => `You are live in another tab (since ${clock(iso)}).`,
  device: (iso) => `You are live on another device or in an app (since ${clock(iso)}).`,
  several: (count) => `You are live in ${count} other places. Moving captions here ends them all.`,
  move: "Move captions here",
  too: "Start here too",
};

export const LOGOUT = {
  title: "Log out?",
  ends: "You're live. Logging out ends your captions.",
  stay: "Stay logged in",
  leave: "End captions and log out",
};

/** Why captions ended, if the page knows more than the service. */
export const ENDED = {
  cannotStart: "You have no minutes left, so captions can't start.",
  settings: (why) => `These settings aren't supported. ${why}`,
  slowBrowser: "Your browser couldn't keep up with the captions. Close other tabs, then start again.",
  unreached: "Can't reach the service. Check your connection, then start again.",
  broken: "The connection was lost and couldn't be restored. Check it, then start again.",
  seeLive: "See live sessions",
  logIn: "Log in",
};

export const OVERLAY = {
  sample: "Welcome back, everybody! Let's watch that again in slow motion, because that was a damn close game.",
  percent: (number) => `${number}%`,
  pixels: (number) => `${number} px`,
  noOutline: "none",
  fade: (seconds) => (seconds ? duration(seconds) : "never"),
  copied: "Copied. Paste it into an OBS browser source.",
  noCopy: "Your browser blocked copying. The URL is selected, so copy it yourself.",
  regenerated: "This is your new URL. Paste it into OBS.",
  tested: (count) =>
    count
      ? `Test caption sent to ${count === 1 ? "1 open overlay" : `${grouped(count)} open overlays`}.`
      : "No overlay is open. Add the URL to OBS first, then test again.",
  preview: "Preview with your voice",
  stopPreview: "Stop preview",
  following: "Showing your live captions",
  freePreview: "Shows the captions that are live now, at no extra cost.",
  shortPreview: (seconds) => `Starts captions for up to ${duration(seconds)}. They also show on open overlays.`,
  using: (seconds, most) => `${duration(seconds)} used. Stops by itself after ${duration(most)}.`,
  previewed: (seconds) => `Done. ${duration(seconds)} billed.`,
  changed: "The overlay URL changed, so this preview stopped. Start it again.",
  incomplete: "This overlay URL is incomplete. Copy it again from the Overlay page of your account.",
};

/** Why a session ended, in a few words. @param {string | null} reason */
export function ending(reason) {
  return END_LABELS[reason ?? ""] ?? reason ?? COMMON.unknown;
}

function sentence(text) {
  return text[0].toUpperCase() + text.slice(1);
}

function wait(seconds) {
  if (!seconds) return "a minute";
  return seconds === 1 ? "1 second" : `${grouped(seconds)} seconds`;
}
