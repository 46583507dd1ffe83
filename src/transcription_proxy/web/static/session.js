/** Who is logged in: the tokens in localStorage, renewed once whatever the number of tabs, and the way out. */

import { Failure, request } from "./http.js";
import { LOGIN } from "./sentences.js";

/**
 * @typedef {{token: string, refresh_token: string, expires_in: number}} Tokens
 * @typedef {{token: string, refresh_token: string, email: string, expires_at: number, renew_at: number}} Session
 */

const KEY = "session";
const RETURN_TO = "return_to";
const NOTICE = "notice";
/** Renewed this long before the end, in seconds, or in the last quarter of a short life. */
const EARLY = 10 * 60;
/** Whether somebody is logging out of this page: what its requests come to does not matter then. */
let leaving = false;

/** @returns {Session | null} */
export function session() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "null");
  } catch {
    return null;
  }
}

/** Keeps tokens. Times are by this machine's clock alone, right or wrong. @param {Tokens} tokens @param {string} email */
export function keep({ token, refresh_token, expires_in }, email) {
  const expires_at = Date.now() + expires_in * 1000;
  const renew_at = expires_at - Math.min(EARLY, expires_in / 4) * 1000;
  localStorage.setItem(KEY, JSON.stringify({ token, refresh_token, email, expires_at, renew_at }));
  document.documentElement.dataset.session = "in";
}

/** A token that is good for a while yet. Never returns where nobody is logged in: the page is left. */
export async function token() {
  const found = session();
  if (!found) return leave();
  return Date.now() < found.renew_at ? found.token : renew(found.token);
}

/** The token that follows `stale`; where there are Web Locks, one tab fetches it for all. @param {string} stale */
export function renew(stale) {
  return alone(async () => {
    const found = session();
    if (!found) return leave();
    if (found.token !== stale) return found.token; // another tab was here first
    try {
      const tokens = await request("POST", "/auth/refresh", { body: { refresh_token: found.refresh_token } });
      if (!session()) return leave(); // logged out meanwhile
      keep(tokens, found.email);
      return tokens.token;
    } catch (failure) {
      const now = session();
      if (now && now.token !== stale) return now.token; // another tab was faster
      if (failure instanceof Failure && failure.status === 401) return leave();
      if (Date.now() < found.expires_at) return found.token; // it still works; the next call tries again
      throw failure;
    }
  });
}

/** Forgets the tokens and goes to the login, which leads back here. @param {string} [sentence] */
export function leave(sentence = LOGIN.expired) {
  if (leaving) return new Promise(() => {});
  sessionStorage.setItem(RETURN_TO, location.pathname + location.search + location.hash);
  startAgain(sentence);
  return new Promise(() => {}); // nobody shows an error on a page that is being left
}

/** Forgets the tokens and goes to the login, which then says this. @param {string} sentence */
export function startAgain(sentence) {
  localStorage.removeItem(KEY);
  sessionStorage.setItem(NOTICE, sentence);
  location.replace("/");
}

/** Ends the login, here and at the service, as far as it can be reached. */
export async function logOut() {
  leaving = true;
  const found = session();
  localStorage.removeItem(KEY); // before the service answers, so that no other tab renews it meanwhile
  if (found) {
    const body = { refresh_token: found.refresh_token };
    await request("POST", "/auth/logout", { body, patience: 3000 }).catch(() => {});
  }
  sessionStorage.removeItem(RETURN_TO);
  startAgain(LOGIN.loggedOut);
}

/** After a login: to the page that asked for it, or to this one. @param {string} [usual] */
export function enter(usual = "/dashboard") {
  const path = sessionStorage.getItem(RETURN_TO) ?? usual;
  sessionStorage.removeItem(RETURN_TO);
  sessionStorage.removeItem(NOTICE);
  location.replace(path);
}

/** The sentence that a page before this one left, once. early.js, which has no sentences, leaves an empty one. */
export function takeNotice() {
  const sentence = sessionStorage.getItem(NOTICE);
  sessionStorage.removeItem(NOTICE);
  return sentence === "" ? LOGIN.first : sentence;
}

/** Follows what other tabs do: logs out with them, and never shows one account's page with another's tokens. */
export function followTabs() {
  addEventListener("storage", (event) => {
    if (event.key !== KEY && event.key !== null) return;
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
 * Does one piece of work after another, in all tabs together. Web Locks exist in secure contexts only: elsewhere it is
 * one after another in this tab, and the service gives a pair to each of two tabs that renew at once.
 */
function alone(work) {
  if (navigator.locks) return navigator.locks.request("session", work);
  last = last.then(work, work);
  return last;
}
