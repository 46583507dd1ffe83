/** The captions of whoever has the key, over a WebSocket: a browser allows 255 of them to a host, and six connections of
 * HTTP. The key stands in the first message, in no address. */

/** Without a sign of life for so long, the connection does not live. In ms. */
const QUIET = 45_000;
/** Before each try, at most; a stream that lived for so long begins anew with the first. In ms. */
const [PAUSES, LIVED] = [[500, 1000, 2000, 4000, 8000, 15_000, 30_000], 10_000];
const FINAL = "overlay_gone";
/** Errors that pass by themselves, of which nothing is said. */
const PASSING = new Set(["service_unavailable", "auth_timeout", "internal"]);

/**
 * Show what comes, for as long as the key is valid. `says`: a sentence for who set this up, empty when all is well;
 * `missed`: the connection begins, and lines may have been missed before; `gone`: the key is void, and nothing more comes.
 * @param {string} key
 * @param {{line: (line: any) => void, clear: (which: any) => void, missed: () => void, says: (sentence: string) => void,
 *   gone?: () => void}} audience
 * @param {AbortSignal} [ended] stops following
 */
export async function follow(key, audience, ended) {
  let tries = 0;
  for (;;) {
    const began = performance.now();
    const refused = await listen(key, audience, ended);
    if (ended?.aborted) return;
    if (refused) audience.says(refused.message);
    if (refused?.code === FINAL) return audience.gone?.();
    if (performance.now() - began > LIVED) tries = 0;
    const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)];
    await new Promise((resolve) => setTimeout(resolve, (pause * (1 + Math.random())) / 2));
  }
}

/** One connection, until it ends; why it was refused, where we were told. */
function listen(key, audience, ended) {
  return new Promise((resolve) => {
    const socket = new WebSocket(`${location.origin.replace(/^http/, "ws")}/ws/overlay`);
    let refused = null;
    let timer = 0;
    const over = () => {
      clearTimeout(timer);
      socket.onmessage = null;
      socket.close();
      resolve(refused);
    };
    const alive = () => {
      clearTimeout(timer);
      timer = setTimeout(over, QUIET); // the close of a connection that is dead may take minutes
    };
    alive();
    ended?.addEventListener("abort", over, { once: true });
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "auth", key }));
      audience.missed();
    };
    socket.onmessage = ({ data }) => {
      alive();
      const { event, error, ...shown } = JSON.parse(data);
      if (event === "line" || event === "clear") audience[event](shown);
      if (event === "heartbeat") audience.says("");
      if (event === "error") refused = PASSING.has(error.code) ? null : error;
    };
    socket.onclose = over;
  });
}
