/** The microphone: frames of 16 kHz PCM while it is open, and in words why it is not. */

import { MICROPHONE } from "./sentences.js";

/** How long each step of opening may take; the user has to answer the browser's question in the first. In ms. */
const [ASKING, STARTING, LOADING] = [60_000, 5000, 10_000];
/** How long the last frame is waited for, in ms. */
const LAST_FRAME = 500;
/** Sound as it is: what browsers do to it for calls costs words. */
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
const PROBLEMS = {
  NotAllowedError: MICROPHONE.blocked,
  SecurityError: MICROPHONE.blocked,
  InsecureError: MICROPHONE.insecure,
  NotFoundError: MICROPHONE.none,
  OverconstrainedError: MICROPHONE.gone,
  NotReadableError: MICROPHONE.busy,
  AbortError: MICROPHONE.stuck,
  UnansweredError: MICROPHONE.unanswered,
  SilentError: MICROPHONE.noAudio,
  UnloadedError: MICROPHONE.unloaded,
  LostError: MICROPHONE.unplugged,
  CancelledError: "",
};

export class Microphone {
  #stream;
  #context;
  #ear;
  /** @type {(value?: unknown) => void} */
  #ended = () => {};

  /**
   * Opens it, from a click. Throws what `problem` puts into words, and has closed all that it opened by then.
   * @param {string} device empty: the system's choice @param {AbortSignal} cancelled
   * @param {Promise<unknown>} [allowed] the microphone is asked for once this is fulfilled; where it fails, so does this
   */
  static async open(device, cancelled, allowed = Promise.resolve()) {
    if (!navigator.mediaDevices) throw fault("InsecureError");
    const audio = device ? { ...AS_IT_IS, deviceId: { exact: device } } : AS_IT_IS;
    const context = new AudioContext(); // made and resumed in the click, or it stays silent
    const resumed = context.resume();
    resumed.catch(() => {}); // it is looked at later
    const asked = allowed.then(() => {
      cancelled.throwIfAborted();
      return navigator.mediaDevices.getUserMedia({ audio });
    });
    try {
      const stream = await step(asked, ASKING, "UnansweredError", cancelled);
      await step(resumed, STARTING, "SilentError", cancelled);
      const loaded = context.audioWorklet.addModule("/static/microphone-worklet.js").catch(() => {
        throw fault("UnloadedError"); // the browser's own error is that of a microphone
      });
      await step(loaded, LOADING, "UnloadedError", cancelled);
      return new Microphone(stream, context);
    } catch (error) {
      asked.then(release, () => {}); // the user may still say yes
      context.close().catch(() => {});
      throw error;
    }
  }

  constructor(stream, context) {
    this.#stream = stream;
    this.#context = context;
    if (this.#track.readyState === "ended") throw fault("LostError");
    this.#ear = new AudioWorkletNode(context, "ear", { channelCount: 1, channelCountMode: "explicit" });
    context.createMediaStreamSource(stream).connect(this.#ear).connect(context.destination);
  }

  /** What it is, as the browser has it. */
  get device() {
    return this.#track.getSettings().deviceId ?? "";
  }

  get #track() {
    return this.#stream.getAudioTracks()[0];
  }

  /**
   * Begins. `heard` is called every 100 ms; `lost`, once, when the microphone is gone.
   * @param {(frame: {samples: Int16Array, peak: number}) => void} heard @param {() => void} lost
   */
  listen(heard, lost) {
    this.#ear.port.onmessage = ({ data }) => (data ? heard(data) : this.#ended());
    this.#track.addEventListener("ended", lost, { once: true });
    this.#context.addEventListener("statechange", () => {
      if (this.#context.state === "suspended" || this.#context.state === "interrupted") this.#context.resume();
    });
  }

  /** Ends, once the last part of a frame is out. */
  async close() {
    await new Promise((resolve) => {
      this.#ended = resolve;
      setTimeout(resolve, LAST_FRAME);
      this.#ear.port.postMessage("finish");
    });
    release(this.#stream);
    this.#context.close().catch(() => {}); // nobody needs to wait for it
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** What `work` comes to, unless it takes too long (an error of that name) or is cancelled. */
async function step(work, within, name, cancelled) {
  let timer = 0;
  const failing = new Promise((_, reject) => {
    const cancel = () => reject(fault("CancelledError"));
    timer = setTimeout(() => reject(fault(name)), within);
    if (cancelled.aborted) cancel();
    else cancelled.addEventListener("abort", cancel, { once: true });
  });
  try {
    return await Promise.race([work, failing]);
  } finally {
    clearTimeout(timer);
  }
}

function fault(name) {
  return new DOMException(name, name);
}

/** Microphones to choose from; without a name while the page may not use them. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default");
}

/** Why a microphone did not open, in words; none where the user did not want it. @param {any} error */
export function problem(error) {
  return PROBLEMS[error.name] ?? MICROPHONE.failed(error.message);
}
