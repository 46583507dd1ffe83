/** Lists of caption sessions: live ones, with a button that ends them, and past ones. */

import { api } from "./api.js";
import { h, notice, replace } from "./dom.js";
import { duration, exactly, when } from "./format.js";
import { COMMON, ending, SESSIONS } from "./sentences.js";
import { table } from "./table.js";

/**
 * @typedef {{id: string, started_at: string, ended_at: string | null, seconds_used: number, audio_seconds: number | null,
 *   engine: string, status: "active" | "completed" | "terminated", reason: string | null}} Session
 */

const COLUMNS = [
  { name: SESSIONS.columns.date },
  { name: SESSIONS.columns.engine },
  { name: SESSIONS.columns.length, figure: true, label: true },
  { name: SESSIONS.columns.billed, figure: true, label: true },
  { name: SESSIONS.columns.end, whole: true },
];

/** @param {number} [timeoutMs] @returns {Promise<Session[]>} */
export async function liveSessions(timeoutMs) {
  return (await api("GET", "/account/sessions?live=true", { timeoutMs })).sessions;
}

/** @param {Session[]} sessions newest first */
export function sessionTable(sessions) {
  const rows = sessions.map((session) => [
    when(session.started_at),
    h("span", { class: "break" }, session.engine || COMMON.unknown),
    session.status === "active" ? duration(age(session)) : exactly(session.audio_seconds ?? 0),
    exactly(session.seconds_used, 0),
    state(session),
  ]);
  const note = h("p", { class: "muted small" }, SESSIONS.rounding);
  return h("div", { class: "stack tight" }, table(SESSIONS.caption, COLUMNS, rows), note);
}

/** Return the text of an empty list: what to do first. */
export function noSessions() {
  const tryIt = h("a", { class: "button quiet", href: "/captions" }, COMMON.tryInBrowser);
  return h("div", { class: "empty" }, h("p", {}, SESSIONS.none), tryIt);
}

/** A list of live sessions. It keeps its buttons, and so the focus, from one update to the next. */
export class LiveList {
  /** @type {Map<string, {item: Element, text: Element}>} */
  #shown = new Map();

  /** @param {Element} list @param {Element} alert @param {() => void} changed called after a session was asked to end */
  constructor(list, alert, changed) {
    this.list = list;
    this.alert = alert;
    this.changed = changed;
  }

  /** @param {Session[]} sessions @param {Element | null} [empty] shown instead of an empty list */
  show(sessions, empty = null) {
    const ids = new Set(sessions.map((session) => session.id));
    for (const [id, { item }] of this.#shown) {
      if (ids.has(id)) continue;
      item.remove();
      this.#shown.delete(id);
    }
    if (!this.#shown.size) replace(this.list);
    for (const session of sessions) this.#entry(session).text.textContent = line(session);
    if (!sessions.length && empty) replace(this.list, h("li", {}, empty));
  }

  #entry(session) {
    const known = this.#shown.get(session.id);
    if (known) return known;
    const text = h("p", { class: "muted small numbers" });
    const label = SESSIONS.endThis(session.started_at);
    const end = h(
      "button",
      { type: "button", class: "button danger", "aria-label": label, onclick: () => this.#end(session, end) },
      SESSIONS.end,
    );
    const since = h("p", {}, h("span", { class: "tag live" }, SESSIONS.liveSince(session.started_at)));
    const item = h("li", { class: this.list.classList.contains("bars") && "bar" }, h("div", {}, since, text), end);
    this.list.append(item);
    this.#shown.set(session.id, { item, text });
    return { item, text };
  }

  async #end(session, button) {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    button.textContent = SESSIONS.ending;
    replace(this.alert);
    try {
      await api("DELETE", `/account/sessions/${encodeURIComponent(session.id)}`);
    } catch (failure) {
      if (failure.status !== 404) {
        button.removeAttribute("aria-disabled");
        button.textContent = SESSIONS.end;
        replace(this.alert, notice("bad", failure.message));
        return;
      }
    }
    this.changed();
  }
}

function line(session) {
  return SESSIONS.soFar(age(session), session.seconds_used);
}

function age(session) {
  return (Date.now() - Date.parse(session.started_at)) / 1000;
}

function state({ status, reason }) {
  if (status === "active") return h("span", { class: "tag live" }, SESSIONS.live);
  const kind = status === "completed" && reason !== "insufficient_credits" ? "good" : "warn";
  return h("span", { class: `tag wraps ${kind}` }, ending(reason));
}
