// A program that uses @deepgram/sdk as its users do. It streams a file of raw audio, and prints what happened as JSON.
// Arguments: the base URL, the API key, the file, the model, how many times real time, and whether to finish ("finish"),
// to wait until the service ends the connection ("stay"), or to go on over one end of it and finish ("again"); keywords,
// if there are any. A Flux model is used with the second version of the API.
import { readFile } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import { DeepgramClient } from "@deepgram/sdk";

const [baseUrl, apiKey, file, model, speed, end, keywords] = process.argv.slice(2);
const FRAME_BYTES = 3200;
const FRAME_MS = 100;
const RECONNECT_MS = 6000;
const seen = { opened: 0, errors: [], closes: [], types: [], texts: [] };
const audio = await readFile(file);
const client = new DeepgramClient({ apiKey, baseUrl });
const isFlux = model.startsWith("flux-");
const format = { model, encoding: "linear16", sample_rate: 16000 };
const wanted = { language: "en", interim_results: "true", vad_events: "true", utterance_end_ms: 1000, keywords };
const connection = await (isFlux ? client.listen.v2.connect(format) : client.listen.v1.connect({ ...format, ...wanted }));
const ends = end === "again" ? 2 : 1;
const closed = new Promise((resolve) => {
  connection.on("open", () => {
    seen.opened += 1;
  });
  connection.on("message", (message) => {
    seen.types.push(message.type);
    if (message.type === "Results" && message.is_final) seen.texts.push(message.channel.alternatives[0].transcript);
    if (message.type === "TurnInfo" && message.event !== "Update") seen.texts.push(message.transcript);
  });
  connection.on("error", (error) => {
    seen.errors.push(String(error.message ?? error));
    if (end !== "again") resolve();
  });
  connection.on("close", (event) => {
    seen.closes.push(event.code);
    if (seen.closes.length === ends) resolve();
  });
});
connection.connect();
await Promise.race([connection.waitForOpen().catch(() => {}), closed]);
const OPEN = 1; // a socket that is closing takes no more audio, although "close" comes later
const goesOn = () => end === "again" || connection.readyState === OPEN;
for (let sent = 0; sent < audio.length && goesOn(); sent += FRAME_BYTES) {
  if (end === "again" && connection.readyState !== OPEN) await connection.waitForOpen();
  connection.sendMedia(audio.subarray(sent, sent + FRAME_BYTES));
  await pause(FRAME_MS / Number(speed));
}
if (end !== "stay") connection.sendCloseStream({ type: "CloseStream" });
await closed;
await pause(RECONNECT_MS); // the SDK would open another session within this time
console.log(JSON.stringify(seen));
process.exit(0);
