/** Explains why captions ended: the shared sentence, its severity, and a link to what to do next. */

import { COMMON, END_SENTENCES, ENDED, ERROR_SENTENCES } from "./sentences.js";

const BUY = { href: "/dashboard#buy", text: COMMON.buyMinutes };
const LIVE = { href: "/account#live-title", text: ENDED.seeLive };
const LOG_IN = { href: "/#log-in", text: ENDED.logIn };

/** Severities by reason and error code; all others are "bad". */
const KINDS = {
  client_stop: "info",
  ended_by_user: "warn",
  idle: "warn",
  replaced: "warn",
  signed_out: "warn",
  busy: "warn",
  service_unavailable: "warn",
  service_restart: "warn",
};
/** Errors that only a bug of the page can cause. The reader sees them as errors of the service. */
const OURS = new Set(["auth_timeout", "bad_message", "bad_messages", "message_too_big"]);
const LINKS = { insufficient_credits: BUY, signed_out: LOG_IN, unauthorized: LOG_IN, too_many_connections: LIVE };

/**
 * @typedef {{kind: "info" | "warn" | "bad", text: string, link?: {href: string, text: string}}} Explanation
 * @param {import("./transcription.js").End} end @returns {Explanation}
 */
export function sentence({ error, message, reason, code, began }) {
  if (error === "invalid_config") return { kind: "bad", text: ENDED.settings(message) };
  if (error === "insufficient_credits" && !began) return { kind: "bad", text: ENDED.cannotStart, link: BUY };
  if (reason === "too_slow") return { kind: "bad", text: ENDED.slowBrowser };
  const said = reason in END_SENTENCES ? reason : error;
  const word = OURS.has(said) ? "internal" : said;
  const text = END_SENTENCES[word] ?? ERROR_SENTENCES[word];
  if (text) return { kind: KINDS[word] ?? "bad", text, link: LINKS[word] };
  if (error || reason || code === 1011) return { kind: "bad", text: ERROR_SENTENCES.internal };
  return { kind: "bad", text: began ? ENDED.broken : ENDED.unreached };
}
