/** The login: its tokens in localStorage, which one tab renews for all, and logging out. */

import { Failure, request } from "./http.js";
import { LOGIN } from "./sentences.js";
import { forgetEmail } from "./typed-email.js";

/**
 * @typedef {{token: string, refresh_token: string, expires_in: number}} Tokens
 * @typedef {{token: string, refresh_token: string, email: string, expires_at: number, renew_at: number}} Session
 */

const KEY = "session";
const RETURN_TO = "return_to";
const NOTICE = "notice";
/** Tokens are renewed this long before they expire, or in the last quarter of a shorter lifetime. */
const EARLY_SECONDS = 10 * 60;
/** Whether the browser is leaving this page. Code that still runs must not change the notice or the target then. */
let leaving = false;

/** @returns {Session | null} */
export function session() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** Store tokens. All times are by this machine's clock, right or wrong. @param {Tokens} tokens @param {string} email */
export function keep({ token, refresh_token, expires_in }, email) {
  const expires_at = Date.now() + expires_in * 1000;
  const renew_at = expires_at - Math.min(EARLY_SECONDS, expires_in / 4) * 1000;
  localStorage.setItem(KEY, JSON.stringify({ token, refresh_token, email, expires_at, renew_at }));
  document.documentElement.dataset.session = "in";
}

/** Return a token that is valid for a while. If nobody is logged in, leave the page and never return. */
export async function token() {
  const found = session();
  if (!found) return leave(LOGIN.elsewhere);
  return Date.now() < found.renew_at ? found.token : renew(found.token);
}

/** Return the token that follows `stale`. With Web Locks, one tab fetches it for all. @param {string} stale */
export function renew(stale) {
  return alone(async () => {
    const found = session();
    if (!found) return leave(LOGIN.elsewhere);
    if (found.token !== stale) return found.token; // another tab renewed it
    try {
      const tokens = await request("POST", "/auth/refresh", { body: { refresh_token: found.refresh_token } });
      if (!session()) return leave(LOGIN.elsewhere); // the user logged out meanwhile
      keep(tokens, found.email);
      return tokens.token;
    } catch (failure) {
      const now = session();
      if (now && now.token !== stale) return now.token; // another tab renewed it
      if (failure instanceof Failure && failure.status === 401) return leave();
      if (Date.now() < found.expires_at) return found.token; // the token still works; the next call retries
      throw failure;
    }
  });
}

/** Delete the tokens and go to the login, which leads back to this page. @param {string} [sentence] */
export function leave(sentence = LOGIN.expired) {
  if (!leaving) {
    sessionStorage.setItem(RETURN_TO, location.pathname + location.search + location.hash);
    startAgain(sentence);
  }
  return new Promise(() => {}); // never resolves, so that no caller shows an error while the browser leaves the page
}

/** Delete the tokens and go to the login, which then shows this sentence. @param {string} sentence */
export function startAgain(sentence) {
  localStorage.removeItem(KEY);
  goToLogin(sentence);
}

/** End the login here, and at the service if that answers. */
export async function logOut() {
  const found = session();
  if (leaving) return;
  leaving = true; // a poll that finds no tokens while the service answers must not say that the login expired
  localStorage.removeItem(KEY); // before the service answers, so that no other tab renews it meanwhile
  if (found) {
    const body = { refresh_token: found.refresh_token };
    await request("POST", "/auth/logout", { body, timeoutMs: 3000 }).catch(() => {});
  }
  sessionStorage.removeItem(RETURN_TO);
  goToLogin(LOGIN.loggedOut);
}

function goToLogin(sentence) {
  leaving = true;
  sessionStorage.setItem(NOTICE, sentence);
  location.replace("/");
}

/** Go to the page that required the login, or to this one. @param {string} [usual] */
export function enter(usual = "/dashboard") {
  const path = sessionStorage.getItem(RETURN_TO) ?? usual;
  sessionStorage.removeItem(RETURN_TO);
  sessionStorage.removeItem(NOTICE);
  forgetEmail();
  location.replace(path);
}

/** Take and return the sentence that the last page left. early.js has no sentences, and leaves an empty one. */
export function takeNotice() {
  const sentence = sessionStorage.getItem(NOTICE);
  sessionStorage.removeItem(NOTICE);
  return sentence === "" ? LOGIN.first : sentence;
}

/** Follow other tabs: log out with them, and never show one account's page with another account's tokens. */
export function followTabs() {
  addEventListener("storage", (event) => {
    if (leaving || (event.key !== KEY && event.key !== null)) return;
    const [before, after] = [emailOf(event.oldValue), session()?.email];
    if (before === after) return;
    if (!after && document.documentElement.dataset.for === "members") leave(LOGIN.elsewhere);
    else location.reload();
  });
}

function emailOf(text) {
  try {
    return JSON.parse(text ?? "null")?.email;
  } catch {
    return undefined;
  }
}

let last = Promise.resolve();

/**
 * Run one piece of work at a time, in all tabs together. Web Locks exist in secure contexts only. Without them, this tab
 * runs one at a time, and the service gives a pair of tokens to each of two tabs that renew at once.
 */
function alone(work) {
  if (navigator.locks) return navigator.locks.request("session", work);
  last = last.then(work, work);
  return last;
}
