/** What all pages share: icons, the log-out button, following other tabs, and the data about this installation. */

import { byId, h } from "./dom.js";
import { request } from "./http.js";
import { drawIcons } from "./icons.js";
import { askLogOut } from "./log-out.js";
import { followTabs } from "./session.js";

/**
 * Data about this installation, from /site.
 * @typedef {{trial_seconds: number, trial_needs_confirmation: boolean, sandbox: boolean,
 *   support_email: string | null, terms_url: string | null,
 *   privacy_url: string | null, source_url: string | null, sessions_per_user: number}} Site
 */

const NOTHING = {
  trial_seconds: 0,
  trial_needs_confirmation: false,
  sandbox: false,
  support_email: null,
  terms_url: null,
  privacy_url: null,
  source_url: null,
  sessions_per_user: 2,
};

/** @type {Promise<Site>} */
export const site = request("GET", "/site").catch(() => NOTHING);

/** Return a link to another site, or null if `url` is missing or is not http(s). @param {string | null} url @param {string} text */
export function outside(url, text) {
  if (!url || !/^https?:\/\//.test(url)) return null;
  return h("a", { href: url, rel: "noopener noreferrer" }, text);
}

drawIcons();
followTabs();
const logOutButton = byId("log-out");
logOutButton.addEventListener("click", askLogOut);
if ("clicked" in logOutButton.dataset) askLogOut();
