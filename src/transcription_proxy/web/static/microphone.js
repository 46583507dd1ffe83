/** The microphone: delivers frames of 16 kHz PCM, and explains in words why it cannot be opened. */

import { MICROPHONE } from "./sentences.js";

/** Milliseconds that each step of opening may take. In the first, the user answers the browser's question. */
const [ASKING, STARTING, LOADING] = [60_000, 5000, 10_000];
/** How long to wait for the last frame. */
const LAST_FRAME_MS = 500;
/** Unprocessed audio, because the processing that browsers do for calls loses words. */
const UNPROCESSED = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
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
   * Open the microphone, in a click's handler. Throw an error that `problem` explains, and leave nothing open then.
   * @param {string} device empty: the system default @param {AbortSignal} cancelled
   * @param {Promise<unknown>} [allowed] the microphone is requested once this is fulfilled, and opening fails with it
   */
  static async open(device, cancelled, allowed = Promise.resolve()) {
    if (!navigator.mediaDevices) throw fault("InsecureError");
    const audio = device ? { ...UNPROCESSED, deviceId: { exact: device } } : UNPROCESSED;
    const context = new AudioContext(); // browsers keep it suspended unless a click creates and resumes it
    const resumed = context.resume();
    resumed.catch(() => {}); // awaited below
    const asked = allowed.then(() => {
      cancelled.throwIfAborted();
      return navigator.mediaDevices.getUserMedia({ audio });
    });
    try {
      const stream = await step(asked, ASKING, "UnansweredError", cancelled);
      await step(resumed, STARTING, "SilentError", cancelled);
      const loaded = context.audioWorklet.addModule("/static/microphone-worklet.js").catch(() => {
        throw fault("UnloadedError"); // the browser would throw one of the microphone's errors
      });
      await step(loaded, LOADING, "UnloadedError", cancelled);
      return new Microphone(stream, context);
    } catch (error) {
      asked.then(release, () => {}); // the user may still allow it
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

  /** The microphone's settings, as the browser reports them. */
  get device() {
    return this.#track.getSettings().deviceId ?? "";
  }

  get #track() {
    return this.#stream.getAudioTracks()[0];
  }

  /**
   * Begin to deliver. `heard` is called every 100 ms; `lost`, once, when the microphone is disconnected.
   * @param {(frame: {samples: Int16Array, peak: number}) => void} heard @param {() => void} lost
   */
  listen(heard, lost) {
    this.#ear.port.onmessage = ({ data }) => (data ? heard(data) : this.#ended());
    this.#track.addEventListener("ended", lost, { once: true });
    this.#context.addEventListener("statechange", () => {
      if (this.#context.state === "suspended" || this.#context.state === "interrupted") this.#context.resume();
    });
  }

  /** Deliver the last part of a frame, and close the microphone. */
  async close() {
    await new Promise((resolve) => {
      this.#ended = resolve;
      setTimeout(resolve, LAST_FRAME_MS);
      this.#ear.port.postMessage("finish");
    });
    release(this.#stream);
    this.#context.close().catch(() => {}); // a failure changes nothing
  }
}

function release(stream) {
  for (const track of stream.getTracks()) track.stop();
}

/** Return the result of `work`. Throw an error named `name` if it takes too long, or CancelledError. */
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

/** Return the microphones. They have no names while the page may not use them. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default");
}

/** Return a sentence about why a microphone did not open, empty if the user cancelled. @param {any} error */
export function problem(error) {
  return PROBLEMS[error.name] ?? MICROPHONE.failed(error.message);
}
