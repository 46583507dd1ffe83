/** Why captions ended, in a sentence for who reads it on the page. */

const BUY = { href: "/dashboard#buy", text: "Buy minutes" };
const ACCOUNT = { href: "/account#live-title", text: "See what runs" };
const LOG_IN = { href: "/#log-in", text: "Log in" };
const OURS = "Something failed on our side. Start again; if it happens again, come back in a few minutes.";

/** By the reason that the service gave, and the error codes that come without one. */
const ENDS = {
  client_stop: ["info", "Done."],
  insufficient_credits: ["bad", "Your minutes are used up, so captions have ended.", BUY],
  ended_by_user: ["warn", "You ended this session from your account."],
  signed_out: ["warn", "Your password was changed, so captions stopped. Log in, then start again.", LOG_IN],
  ended_by_operator: ["bad", "Support has ended this session."],
  idle: ["warn", "No sound came for a long while, so captions have ended."],
  replaced: ["warn", "These captions went on in another window or program."],
  unauthorized: ["bad", "Your login is not valid any more.", LOG_IN],
  too_many_connections: ["bad", "As many captions as your account may have run already. End one of them first.", ACCOUNT],
  busy: ["warn", "All our lines are taken at the moment. Try again in a minute."],
  service_unavailable: ["warn", "The service is not available just now. Try again in a moment."],
  service_restart: ["warn", "The service was restarted, and did not come back in time. Start again."],
  upstream_unavailable: ["bad", "The speech engine cannot be reached. Try again in a few minutes."],
  upstream_closed: ["bad", "The speech engine failed in the middle, and could not be taken up again. Start again."],
  too_slow: ["bad", "This browser did not keep up with the captions. Close other tabs, then start again."],
};
const UNREACHED = "The service cannot be reached. Check your connection, then start again.";
const BROKEN = "The connection was lost, and could not be taken up again within a minute. Check it, then start again.";

/**
 * @param {import("./transcription.js").End} end
 * @returns {{kind: "info" | "warn" | "bad", text: string, link?: {href: string, text: string}}}
 */
export function sentence({ error, message, reason, code, began }) {
  if (error === "invalid_config") return { kind: "bad", text: `The service does not take these settings: ${message}.` };
  if (error === "insufficient_credits" && !began) {
    return { kind: "bad", text: "You have no minutes left, so captions cannot start.", link: BUY };
  }
  const known = ENDS[reason] ?? ENDS[error];
  if (known) return { kind: known[0], text: known[1], link: known[2] };
  if (error || reason || code === 1011) return { kind: "bad", text: OURS };
  return { kind: "bad", text: began ? BROKEN : UNREACHED };
}
