/** Requests to the service: JSON in and out, with a timeout and errors that people can read. */

import { REQUESTS } from "./sentences.js";

const TIMEOUT_MS = 15_000;

/** A failed request. `status` is 0 if there was no answer. */
export class Failure extends Error {
  /** @param {number} status @param {string} code @param {string} message */
  constructor(status, code, message) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

/**
 * Return the JSON of the answer, null for an empty one; with `file`, return {blob, name}. Throw Failure.
 * @param {string} method @param {string} path
 * @param {{body?: object, token?: string, timeoutMs?: number, file?: boolean}} [options]
 */
export async function request(method, path, { body, token, timeoutMs = TIMEOUT_MS, file = false } = {}) {
  const headers = new Headers({ Accept: "application/json" });
  if (body !== undefined) headers.set("Content-Type", "application/json");
  if (token) headers.set("Authorization", `Bearer ${token}`);
  const content = body && { body: JSON.stringify(body) };
  let answer, text;
  try {
    const signal = AbortSignal.timeout(timeoutMs);
    answer = await fetch(path, { ...content, method, headers, signal, cache: "no-store" });
    if (file && answer.ok) return { blob: await answer.blob(), name: fileName(answer) };
    text = await answer.text();
  } catch (error) {
    throw unanswered(error);
  }
  const reply = parsed(text);
  if (answer.ok && reply !== undefined) return reply;
  throw refused(answer, reply);
}

/** Return the file's name from Content-Disposition. */
function fileName(answer) {
  return /filename="([^"]+)"/.exec(answer.headers.get("Content-Disposition") ?? "")?.[1] ?? "";
}

function unanswered(error) {
  if (error.name === "TimeoutError") return new Failure(0, "slow", REQUESTS.slow);
  return new Failure(0, "offline", navigator.onLine ? REQUESTS.unreached : REQUESTS.offline);
}

function refused(answer, content) {
  const { code = "", message = "" } = content?.error ?? {};
  if (answer.status === 429) return new Failure(429, code, REQUESTS.tooMany(Number(answer.headers.get("Retry-After"))));
  if (answer.status === 503) return new Failure(503, code, REQUESTS.unavailable);
  if (answer.status >= 500 || !message) return new Failure(answer.status, code, REQUESTS.failed);
  return new Failure(answer.status, code, message);
}

function parsed(text) {
  try {
    return text ? JSON.parse(text) : null;
  } catch {
    return undefined;
  }
}
