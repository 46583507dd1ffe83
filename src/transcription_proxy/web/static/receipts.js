/** What lost sessions came to: their receipts never arrived, but the service holds them. */

import { api } from "./api.js";

/** The service ends a lost session within seconds. In ms. */
const [WITHIN, EVERY] = [15_000, 1000];

/** Looks them up, as far as they are there in time. @param {import("./transcription.js").Part[]} parts */
export async function findReceipts(parts) {
  const until = performance.now() + WITHIN;
  while (parts.some(({ settled }) => !settled) && performance.now() < until) {
    const { sessions } = await api("GET", "/account/usage").catch(() => ({ sessions: [] }));
    for (const part of parts) {
      const found = sessions.find(({ id, status }) => id === part.session_id && status !== "active");
      if (!found || part.settled) continue;
      Object.assign(part, { used: found.seconds_used, audio: found.audio_seconds ?? 0, settled: true });
    }
    await new Promise((resolve) => setTimeout(resolve, EVERY));
  }
}
