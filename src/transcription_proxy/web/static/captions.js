/** The page /captions: sends the microphone's audio, shows the words, and says why captions ended. */

import { api } from "./api.js";
import { stayAwake } from "./awake.js";
import { reveal, said, say, unsay } from "./captions-alerts.js";
import { Choices } from "./captions-choices.js";
import { CaptionView } from "./captions-view.js";
import { Steps } from "./captions-steps.js";
import { byId, h, replace } from "./dom.js";
import { elsewhere, LiveElsewhere, makeRoom, whereLive } from "./elsewhere.js";
import { sentence } from "./ends.js";
import { site } from "./frame.js";
import { setIcon } from "./icons.js";
import { Microphone, problem } from "./microphone.js";
import { findReceipts } from "./receipts.js";
import { CAPTIONS, COMMON, ELSEWHERE, MICROPHONE } from "./sentences.js";
import { answerTabs } from "./tabs.js";
import { Transcript } from "./transcript.js";
import { Transcription } from "./transcription.js";

/** The style of each state's tag; all other states are shown as warnings. */
const KINDS = { idle: "", live: "live" };
/** Peak levels from which audio counts as not silent, as loud enough, and as too loud. */
const [SOUND, VOICE, LOUD] = [0.001, 0.05, 0.99];
/** Silence after which the page warns. */
const QUIET_MS = 5000;
const FLOOR_DB = 60;
const TIMES = new Set(["begin", "end", "start"]);
const BUY = { href: "/dashboard#buy", text: COMMON.buyMinutes };

const choices = new Choices();
const view = new CaptionView(press);
const steps = new Steps();
const transcript = new Transcript(cleared);
const start = /** @type {HTMLButtonElement} */ (byId("start"));
/** @type {Microphone | null} */
let microphone = null;
/** @type {Transcription | null} */
let transcription = null;
/** When the transcription began, as an ISO date. */
let since = "";
/** Seconds of audio of the earlier transcriptions whose words are still shown. */
let before = 0;
/** When the microphone was last not silent, by `performance.now()`. */
let soundAt = 0;
let watch = 0;
/** Set while the microphone is being opened. @type {AbortController | null} */
let starting = null;
/** The state that is shown, and by how many seconds the words are late. */
let [shown, late] = ["idle", 0];
/** Seconds below which the balance is low; a default until the service has answered. */
let lowAt = 600;
/** Why the page stopped captions by itself. */
let because = "";
/** Whether the user is logging out, and has confirmed that captions end. */
let isLeaving = false;

const tellOver = answerTabs({
  live: () => transcription && { ids: transcription.parts.map(({ session_id }) => session_id), since },
  moved: () => transcription?.moved(),
  end() {
    starting?.abort();
    isLeaving = true;
    stop();
  },
});
start.addEventListener("click", press);
addEventListener("beforeunload", (event) => transcription && !isLeaving && event.preventDefault());
balance();
lookElsewhere();

/** Start, cancel or stop captions. */
function press() {
  if (starting) starting.abort();
  else if (transcription) stop();
  else begin();
}

/** @param {"move" | "beside"} [way] what to do with captions that run elsewhere; if missing, the user is asked */
async function begin(way) {
  if (starting || microphone || transcription || !choices.ready || choices.wrong()) return;
  replace(byId("alerts"));
  choices.deviceProblem("");
  show("asking");
  starting = new AbortController();
  const looked = mayBegin(way);
  looked.catch(() => {}); // handled with the microphone's error, or awaited below
  try {
    microphone = await Microphone.open(choices.device, starting.signal, looked);
  } catch (error) {
    show("idle");
    if (error instanceof LiveElsewhere) return offerMove(error.found).then(() => reveal("elsewhere"));
    return choices.deviceProblem(problem(error));
  } finally {
    starting = null;
  }
  steps.done("microphone");
  run(microphone, await looked.then((found) => makeRoom(found, way === "move")));
}

/** @param {"move" | "beside"} [way] */
async function mayBegin(way) {
  const found = await elsewhere();
  if (!way && found.places.length) throw new LiveElsewhere(found);
  return found;
}

/** @param {Microphone} opened @param {string} [replaces] the session that ends when this one begins */
function run(opened, replaces) {
  choices.listDevices();
  soundAt = performance.now();
  watch = setInterval(checkSilence, 1000);
  because = "";
  late = 0;
  since = new Date().toISOString();
  view.setLanguage(choices.config.language);
  transcription = new Transcription(choices.config, choices.rate, listener, replaces);
  opened.listen(heard, () => stop(MICROPHONE.unplugged));
  transcription.begin();
  stayAwake(true);
}

/** @param {string} [why] the reason, if the user did not ask to stop */
async function stop(why = "") {
  const stopping = transcription;
  if (!stopping || !microphone) return;
  because = why;
  show("ending");
  await silence();
  stopping.stop();
}

/** Close the microphone, after its last frame was delivered. */
async function silence() {
  const closing = microphone;
  microphone = null;
  clearInterval(watch);
  level(0);
  unsay("silent");
  await closing?.close();
}

function heard({ samples, peak }) {
  transcription?.push(samples);
  if (!microphone) return;
  level(peak);
  if (peak < SOUND) return;
  soundAt = performance.now();
  unsay("silent");
  if (peak > VOICE) unsay("too_quiet");
}

/** Warn if the microphone is muted or delivers nothing. */
function checkSilence() {
  if (performance.now() - soundAt < QUIET_MS || said("silent")) return;
  level(0);
  unsay("too_quiet");
  say("silent", "warn", MICROPHONE.silent);
}

/** @type {import("./transcription.js").Listener} */
const listener = {
  state: (state) => show(microphone ? state : "ending"),
  words({ text, is_final, words, begin, end }) {
    if (text) steps.done("words");
    if (!is_final || !text) return view.interim(text);
    const line = later({ text, begin, end, words: words.map(later) });
    transcript.add(line);
    view.final(line);
  },
  usage() {
    const { used, left } = /** @type {Transcription} */ (transcription);
    byId("used").textContent = CAPTIONS.used(used);
    if (left !== null) showLeft(left);
  },
  low(left) {
    showLeft(left);
    if (left < lowAt) byId("low").textContent = CAPTIONS.low(left);
  },
  gap(seconds) {
    say("gap", "warn", CAPTIONS.gap(seconds));
  },
  late(seconds) {
    late = seconds;
    show(shown);
  },
  warning(code, message) {
    if (code !== "too_quiet" || !said("silent")) say(code, "warn", message);
  },
  ended,
};

async function ended(end) {
  const over = /** @type {Transcription} */ (transcription);
  view.interim("");
  await silence();
  before += over.length;
  transcription = null;
  stayAwake(false);
  show("idle");
  tellOver();
  replace(byId("alerts"));
  if (end.error === "too_many_connections" && (await lookElsewhere(false))) return undefined;
  /** @type {import("./ends.js").Explanation} */
  const { kind, text, link } = because ? { kind: "warn", text: because } : sentence(end);
  if (!end.began) {
    if (end.reason !== "client_stop") say("end", kind, text, link);
    return reveal("end");
  }
  const tell = () => say("end", kind, `${text} ${receipt(over)}`, link);
  tell();
  reveal("end");
  if (over.parts.every(({ settled }) => settled)) return undefined;
  await findReceipts(over.parts);
  if (!transcription && !microphone) tell();
  return undefined;
}

/** Return the receipt's sentence. */
function receipt({ parts, left, used }) {
  const audio = parts.reduce((sum, part) => sum + part.audio, 0);
  const sessions = parts.length > 1 ? CAPTIONS.inSessions(parts.length) : "";
  const rest = left === null ? "" : ` ${COMMON.left(left)}.`;
  if (!parts.every(({ settled }) => settled)) return `${CAPTIONS.roughReceipt(used)}${sessions}.${rest}`;
  const rounded = used - audio > 0 && used - audio < parts.length ? CAPTIONS.rounded : "";
  return `${CAPTIONS.receipt(audio, used)}${sessions}${rounded}.${rest}`;
}

/** Shift times by the audio of earlier transcriptions. Words spoken before the transcript was cleared are at 0. */
function later(times) {
  const moved = Object.entries(times).map(([name, value]) => [name, TIMES.has(name) ? Math.max(0, before + value) : value]);
  return Object.fromEntries(moved);
}

function show(state) {
  shown = state;
  const isLate = state === "live" && late > 0;
  const text = isLate ? CAPTIONS.late(late) : CAPTIONS.states[state];
  const place = byId("state");
  if (place.textContent !== text) place.textContent = text;
  place.className = `tag wraps ${isLate ? "warn" : (KINDS[state] ?? "warn")}`;
  const idle = state === "idle";
  const stops = !["idle", "asking", "ending"].includes(state);
  byId("start-text").textContent = CAPTIONS.buttons[state] ?? CAPTIONS.stop;
  start.classList.toggle("stop", stops);
  setIcon(start, stops ? "stop" : "mic");
  if (state === "ending") start.setAttribute("aria-disabled", "true");
  else start.removeAttribute("aria-disabled");
  choices.lock(!idle);
}

function level(peak) {
  const part = peak ? Math.max(0, 1 + (20 * Math.log10(peak)) / FLOOR_DB) : 0;
  const meter = byId("level");
  meter.style.setProperty("--level", part.toFixed(3));
  meter.classList.toggle("loud", peak > LOUD);
  meter.setAttribute("aria-valuenow", String(Math.round(part * 100)));
}

async function balance() {
  try {
    const { seconds_remaining: left, seconds_frozen: frozen, low_at_seconds } = await api("GET", "/billing/balance");
    lowAt = low_at_seconds;
    listener.low(left);
    if (left - frozen <= 0) say("end", "bad", CAPTIONS.noMinutes, BUY);
  } catch {
    byId("left").textContent = CAPTIONS.leftUnknown;
  }
}

/** Show the balance in its reserved place, so that nothing moves when it runs low. */
function showLeft(seconds) {
  const isLow = seconds < lowAt;
  const place = byId("left");
  place.textContent = isLow ? CAPTIONS.low(seconds) : COMMON.left(seconds);
  place.classList.toggle("low", isLow);
  byId("buy").hidden = !isLow;
}

/** Show whether captions are live elsewhere, and return that. @param {boolean} [mayBeside] @returns {Promise<boolean>} */
async function lookElsewhere(mayBeside = true) {
  const found = await elsewhere();
  if (!found.places.length || starting || transcription) return false;
  await offerMove(found, mayBeside);
  return true;
}

/** @param {import("./elsewhere.js").Elsewhere} found @param {boolean} [mayBeside] false if the service has refused another session */
async function offerMove({ places }, mayBeside = true) {
  const { sessions_per_user: most } = await site;
  const button = (kind, text, way) => h("button", { type: "button", class: `button ${kind}`, onclick: () => begin(way) }, text);
  const beside = mayBeside && places.length < most && button("quiet", ELSEWHERE.too, "beside");
  say("elsewhere", "warn", whereLive(places), undefined, button("", ELSEWHERE.move, "move"), ...(beside ? [beside] : []));
}

/** Clear the words, and let the time of the next words start at 0. */
function cleared() {
  before = transcription ? -transcription.length : 0;
  view.clear();
}
