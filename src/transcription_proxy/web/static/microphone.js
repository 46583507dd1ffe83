/** The microphone: frames of 16 kHz PCM while it is open, and in words why it is not. */

/** How long the last frame is waited for, in ms. */
const LAST_FRAME = 500;
/** Sound as it is: what browsers do to it for calls costs words. */
const AS_IT_IS = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };
const IN_SETTINGS = "Allow it beside the address at the top of the browser, then start again.";
const PROBLEMS = {
  NotAllowedError: `The browser does not let this page use the microphone. ${IN_SETTINGS}`,
  InsecureError: "Browsers give a microphone to secure pages only. Open this page by its https address.",
  SecurityError: `The browser does not let this page use the microphone. ${IN_SETTINGS}`,
  NotFoundError: "There is no microphone. Connect one, then start again.",
  OverconstrainedError: "This microphone is not there any more. Choose another one.",
  NotReadableError: "The microphone does not answer. Another program may be using it: close that, then start again.",
  AbortError: "The microphone does not answer. Unplug it, plug it in again, then start again.",
};

export class Microphone {
  #stream;
  #context;
  #ear;
  #ended = () => {};

  /** Call it from a click. Throws what `problem` puts into words. @param {string} [device] empty: the system's choice */
  static async open(device = "") {
    if (!navigator.mediaDevices) throw new DOMException("insecure", "InsecureError");
    const audio = device ? { ...AS_IT_IS, deviceId: { exact: device } } : AS_IT_IS;
    const context = new AudioContext(); // made and resumed in the click, or it stays silent
    const resumed = context.resume();
    try {
      const stream = await navigator.mediaDevices.getUserMedia({ audio });
      await Promise.all([resumed, context.audioWorklet.addModule("/static/microphone-worklet.js")]);
      return new Microphone(stream, context);
    } catch (error) {
      context.close();
      throw error;
    }
  }

  constructor(stream, context) {
    this.#stream = stream;
    this.#context = context;
    this.#ear = new AudioWorkletNode(context, "ear", { channelCount: 1, channelCountMode: "explicit" });
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
    this.#context.createMediaStreamSource(this.#stream).connect(this.#ear).connect(this.#context.destination);
  }

  /** Ends, once the last part of a frame is out. */
  async close() {
    await new Promise((resolve) => {
      this.#ended = resolve;
      setTimeout(resolve, LAST_FRAME);
      this.#ear.port.postMessage("finish");
    });
    for (const track of this.#stream.getTracks()) track.stop();
    await this.#context.close();
  }
}

/** Microphones to choose from; without a name while the page may not use them. */
export async function microphones() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter(({ kind, deviceId }) => kind === "audioinput" && deviceId && deviceId !== "default");
}

/** Why a microphone did not open, in words. @param {any} error */
export function problem(error) {
  return PROBLEMS[error.name] ?? `The microphone could not be opened: ${error.message}.`;
}
