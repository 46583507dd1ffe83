// A program that uses @deepgram/sdk as its users do. It streams a file of raw audio, and prints what happened as JSON.
// Arguments: the base URL, the API key, the file, the model, how many times real time, and whether to finish ("finish"),
// or to wait until the service ends the connection ("stay").
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { DeepgramClient } from "@deepgram/sdk";

const [baseUrl, apiKey, file, model, speed, end] = process.argv.slice(2);
const FRAME_BYTES = 3200;
const FRAME_MS = 100;
const RECONNECT_MS = 6000;
const seen = { opened: 0, errors: [], closes: [], types: [], texts: [] };
const audio = await readFile(file);
const client = new DeepgramClient({ apiKey, baseUrl });
const connection = await client.listen.v1.connect({
  model,
  language: "en",
  encoding: "linear16",
  sample_rate: 16000,
  interim_results: "true",
  vad_events: "true",
  utterance_end_ms: 1000,
});
const closed = new Promise((resolve) => {
  connection.on("open", () => {
    seen.opened += 1;
  });
  connection.on("message", (message) => {
    seen.types.push(message.type);
    if (message.type === "Results" && message.is_final) seen.texts.push(message.channel.alternatives[0].transcript);
  });
  connection.on("error", (error) => {
    seen.errors.push(String(error.message ?? error));
    resolve();
  });
  connection.on("close", (event) => {
    seen.closes.push(event.code);
    resolve();
  });
});
connection.connect();
await Promise.race([connection.waitForOpen().catch(() => {}), closed]);
for (let sent = 0; sent < audio.length && seen.closes.length + seen.errors.length === 0; sent += FRAME_BYTES) {
  connection.sendMedia(audio.subarray(sent, sent + FRAME_BYTES));
  await pause(FRAME_MS / Number(speed));
}
if (end === "finish") connection.sendCloseStream({ type: "CloseStream" });
await closed;
await pause(RECONNECT_MS); // the SDK would open another session within this time
console.log(JSON.stringify(seen));
process.exit(0);
