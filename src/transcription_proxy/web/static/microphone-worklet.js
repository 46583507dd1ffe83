/** Converts audio at the machine's rate to frames of 100 ms of 16 kHz PCM. It runs in the audio thread, so that a hidden
 * tab or a busy page loses nothing. Any message flushes the last part of a frame; null follows it. */

import { Resampler } from "./resample.js";

/** Samples a second. */
const RATE = 16_000;
/** Samples. */
const FRAME = RATE / 10;

class Ear extends AudioWorkletProcessor {
  #resampler = new Resampler(sampleRate, RATE);
  #frame = new Int16Array(FRAME);
  #filled = 0;
  #peak = 0;
  #open = true;

  constructor() {
    super();
    this.port.onmessage = () => this.#finish();
  }

  process([input]) {
    const sound = input[0];
    if (sound && this.#open) for (const sample of this.#resampler.take(sound)) this.#add(sample);
    return this.#open;
  }

  #add(sample) {
    const bounded = Math.max(-1, Math.min(1, sample));
    this.#frame[this.#filled++] = Math.round(bounded * 32_767);
    this.#peak = Math.max(this.#peak, Math.abs(bounded));
    if (this.#filled === FRAME) this.#send();
  }

  #send() {
    const samples = this.#frame.slice(0, this.#filled);
    this.port.postMessage({ samples, peak: this.#peak }, [samples.buffer]);
    this.#filled = this.#peak = 0;
  }

  #finish() {
    if (this.#filled) this.#send();
    this.#open = false;
    this.port.postMessage(null);
  }
}

registerProcessor("ear", Ear);
