/** Reads an account's captions over a WebSocket: browsers allow 255 of them to a host, but only six HTTP connections. The
 * key is in the first message and in no URL. */

/** A connection without a message for this long is dead. */
const SILENCE_MS = 45_000;
/** The longest pause before each try, in milliseconds. */
const PAUSES = [500, 1000, 2000, 4000, 8000, 15_000, 30_000];
/** After a connection that lasted this long, the pauses start again with the first. */
const STEADY_MS = 10_000;
const FINAL = "overlay_gone";
/** Errors that pass by themselves and are not shown. */
const PASSING = new Set(["service_unavailable", "auth_timeout", "internal"]);

/**
 * Pass captions to a listener for as long as the key is valid, and reconnect. `problem`: a sentence for the streamer, empty
 * when all is well; `missed`: a connection begins, and lines may have been missed before it; `gone`: the key is invalid.
 * @param {string} key
 * @param {{line: (line: any) => void, clear: (which: any) => void, missed: () => void, problem: (sentence: string) => void,
 *   gone?: () => void}} listener
 * @param {AbortSignal} [ended] stops following
 */
export async function follow(key, listener, ended) {
  let tries = 0;
  for (;;) {
    const began = performance.now();
    const refused = await listen(key, listener, ended);
    if (ended?.aborted) return;
    if (refused) listener.problem(refused.message);
    if (refused?.code === FINAL) return listener.gone?.();
    if (performance.now() - began > STEADY_MS) tries = 0;
    const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)];
    await new Promise((resolve) => setTimeout(resolve, (pause * (1 + Math.random())) / 2));
  }
}

/** Read one connection until it ends. Return the error that refused it, if any. */
function listen(key, listener, ended) {
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
      timer = setTimeout(over, SILENCE_MS); // the browser may take minutes to notice a dead connection
    };
    alive();
    ended?.addEventListener("abort", over, { once: true });
    socket.onopen = () => {
      socket.send(JSON.stringify({ type: "auth", key }));
      listener.missed();
    };
    socket.onmessage = ({ data }) => {
      alive();
      const { event, error, ...shown } = JSON.parse(data);
      if (event === "line" || event === "clear") listener[event](shown);
      if (event === "heartbeat") listener.problem("");
      if (event === "error") refused = PASSING.has(error.code) ? null : error;
    };
    socket.onclose = over;
  });
}
