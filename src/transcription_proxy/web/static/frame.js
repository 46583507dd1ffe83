/** What every page has around it: its icons, the button that logs out, the watch on other tabs, and what this installation is. */

import { byId, h } from "./dom.js";
import { request } from "./http.js";
import { drawIcons } from "./icons.js";
import { askLogOut } from "./log-out.js";
import { followTabs } from "./session.js";

/**
 * What this installation says of itself.
 * @typedef {{trial_seconds: number, trial_needs_confirmation: boolean, sandbox: boolean, support_email: string | null, terms_url: string | null,
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

/** A link to elsewhere, null where there is none or it is no address of the web. @param {string | null} url @param {string} text */
export function outside(url, text) {
  if (!url || !/^https?:\/\//.test(url)) return null;
  return h("a", { href: url, rel: "noopener noreferrer" }, text);
}

drawIcons();
followTabs();
byId("log-out").addEventListener("click", askLogOut);
