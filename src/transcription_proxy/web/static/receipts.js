/** Fetches the receipts of lost sessions from the service, because their `session_end` never arrived. */

import { api } from "./api.js";

/** How long and how often to poll. The service ends a lost session within seconds. */
const [TIMEOUT_MS, POLL_MS] = [15_000, 1000];

/** Add the receipts that arrive in time to these parts. @param {import("./transcription.js").Part[]} parts */
export async function findReceipts(parts) {
  const until = performance.now() + TIMEOUT_MS;
  while (parts.some(({ settled }) => !settled) && performance.now() < until) {
    const { sessions } = await api("GET", "/account/usage").catch(() => ({ sessions: [] }));
    for (const part of parts) {
      const found = sessions.find(({ id, status }) => id === part.session_id && status !== "active");
      if (!found || part.settled) continue;
      Object.assign(part, { used: found.seconds_used, audio: found.audio_seconds ?? 0, settled: true });
    }
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
