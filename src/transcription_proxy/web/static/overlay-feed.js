/** The captions of whoever has the key, as server-sent events read by `fetch`: the key stands in a header, in no address. */

/** Without a sign of life for so long, the connection does not live. In ms. */
const QUIET = 45_000;
/** Before each try, at most; a stream that lived for so long begins anew with the first. In ms. */
const [PAUSES, LIVED] = [[500, 1000, 2000, 4000, 8000, 15_000, 30_000], 10_000];
const FINAL = "overlay_gone";

/**
 * Shows what comes, for as long as the key is valid. `says`: a sentence for who set this up, empty when all is well;
 * `missed`: the connection begins, and lines may have been missed before.
 * @param {string} key
 * @param {{line: (line: any) => void, clear: (which: any) => void, missed: () => void, says: (sentence: string) => void}} audience
 */
export async function follow(key, audience) {
  let tries = 0;
  for (;;) {
    const began = performance.now();
    const refused = await listen(key, audience);
    if (refused) audience.says(refused.message);
    if (refused?.code === FINAL) return;
    if (performance.now() - began > LIVED) tries = 0;
    const pause = PAUSES[Math.min(tries++, PAUSES.length - 1)];
    await new Promise((resolve) => setTimeout(resolve, (pause * (1 + Math.random())) / 2));
  }
}

/** One connection, until it ends; why it was refused, where we were told. */
async function listen(key, audience) {
  const control = new AbortController();
  let timer = 0;
  const alive = () => {
    clearTimeout(timer);
    timer = setTimeout(() => control.abort(), QUIET);
  };
  alive();
  try {
    const headers = { Authorization: `Bearer ${key}`, Accept: "text/event-stream" };
    const answer = await fetch("/overlay/events", { headers, cache: "no-store", signal: control.signal });
    if (!answer.ok) return await refusal(answer);
    audience.says("");
    audience.missed();
    return await read(answer.body, alive, audience);
  } catch {
    return null; // away, or cut off: it is tried again
  } finally {
    clearTimeout(timer);
    control.abort();
  }
}

async function refusal(answer) {
  if (answer.status >= 500) return null;
  return (await answer.json()).error;
}

async function read(body, alive, audience) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return null;
    alive();
    const events = (text + value).split("\n\n");
    text = events.pop();
    for (const event of events) {
      const [, name, data] = /^event: (\w+)\ndata: (.*)$/.exec(event) ?? [];
      if (name === "gone") return JSON.parse(data).error;
      if (name === "line" || name === "clear") audience[name](JSON.parse(data));
    }
  }
}
