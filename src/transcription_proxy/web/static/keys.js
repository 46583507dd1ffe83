/** API keys: those of the account, a new one, whose secret is shown once, and the way to revoke one. */

import { api } from "./api.js";
import { byId, failed, h, notice, replace } from "./dom.js";
import { form } from "./form.js";
import { date, when } from "./format.js";
import { KEYS } from "./sentences.js";

/**
 * @typedef {{id: string, name: string, prefix: string, created_at: string, last_used_at: string | null,
 *   limit_seconds: number | null, limit_period: "total" | "day", seconds_used: number, models: string[] | null}} Key
 */

const MOST_MINUTES = 16_000_000;
const list = byId("keys-list");
const alert = byId("keys-alert");

const element = form("key-form", {
  check: ({ name, limit }) => ({
    name: name.trim() ? "" : KEYS.nameMissing,
    limit: !limit.trim() || (/^[1-9]\d*$/.test(limit.trim()) && Number(limit) <= MOST_MINUTES) ? "" : KEYS.limitWrong,
  }),
  async send({ name, limit, period }) {
    const limit_seconds = limit.trim() ? Number(limit) * 60 : null;
    const body = { name: name.trim(), limit_seconds, limit_period: period };
    const { key } = await api("POST", "/account/keys", { body });
    element.reset();
    reveal(key);
    load();
  },
  fields: { too_many_keys: "name" },
});

async function load() {
  try {
    /** @type {Key[]} */
    const keys = (await api("GET", "/account/keys")).keys;
    const none = h("li", { class: "muted" }, KEYS.none);
    replace(list, ...(keys.length ? keys.map(entry) : [none]));
    replace(alert);
  } catch (failure) {
    replace(list);
    replace(alert, failed(failure.message, load));
  }
}

/** A key in the list. @param {Key} key */
function entry(key) {
  const name = h("p", {}, h("strong", { class: "break" }, key.name), " ", h("code", {}, `${key.prefix}…`));
  const about = h("p", { class: "muted small numbers" }, facts(key).join(" · "));
  const label = KEYS.revokeThis(key.name);
  const attributes = { type: "button", class: "button danger", "aria-label": label };
  const button = h("button", { ...attributes, onclick: () => ask(key, item, row) }, KEYS.revoke);
  const row = [h("div", {}, name, about), button];
  const item = h("li", {}, ...row);
  return item;
}

/** What is known of a key. @param {Key} key */
function facts(key) {
  const used = key.last_used_at ? KEYS.lastUsed(when(key.last_used_at)) : KEYS.neverUsed;
  return [KEYS.created(date(key.created_at)), used, spending(key), key.models ? KEYS.models(key.models) : ""].filter(Boolean);
}

/** @param {Key} key */
function spending({ limit_seconds: limit, limit_period: period, seconds_used: used }) {
  if (limit === null) return KEYS.used(used);
  return period === "day" ? KEYS.dailyLimit(used, limit) : KEYS.limit(used, limit);
}

/** Ask before a key is revoked. @param {Key} key @param {Element} item @param {Element[]} row */
function ask(key, item, row) {
  const keep = h("button", { type: "button", class: "button quiet", onclick: () => back() }, KEYS.keep);
  const revoke = h("button", { type: "button", class: "button danger", onclick: () => end(key, revoke) }, KEYS.revoke);
  replace(item, h("div", {}, h("p", {}, KEYS.sure(key.name))), h("div", { class: "row" }, keep, revoke));
  keep.focus();

  function back() {
    replace(item, ...row);
    /** @type {HTMLElement} */ (row[1]).focus();
  }
}

async function end(key, button) {
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    await api("DELETE", `/account/keys/${encodeURIComponent(key.id)}`);
  } catch (failure) {
    if (failure.status !== 404) {
      button.removeAttribute("aria-disabled");
      replace(alert, notice("bad", failure.message));
      return;
    }
  }
  load();
}

/** Show a new key, this once. @param {string} key */
function reveal(key) {
  const field = /** @type {HTMLInputElement} */ (h("input", { readonly: true, value: key, "aria-label": KEYS.shownOnce }));
  const said = h("p", { class: "hint", role: "status" });
  const copy = h("button", { type: "button", class: "button", onclick: () => copyKey(field, said) }, KEYS.copy);
  replace(byId("key-new"), notice("info", h("p", {}, KEYS.shownOnce), h("div", { class: "field" }, field), h("p", {}, copy), said));
}

async function copyKey(field, said) {
  try {
    await navigator.clipboard.writeText(field.value);
    said.textContent = KEYS.copied;
  } catch {
    field.select();
    said.textContent = KEYS.noCopy;
  }
}

load();
