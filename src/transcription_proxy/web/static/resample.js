/** Resamples audio with a windowed sinc. A low-pass filter first removes tones above the new Nyquist frequency by 80 dB,
 * because they would alias into the speech. The tones below it lose less than 0.1 dB. */

/** Kaiser's beta for 80 dB, and the number of taps for a transition of one radian a sample. */
const [BETA, TAPS] = [7.86, 72.05 / 2.285];
/** The filter's cutoff (-6 dB) and the width of its transition, as parts of the lower rate. */
const [HALF_OPEN, WIDTH] = [15 / 32, 1 / 16];

export class Resampler {
  #up;
  #down;
  #reach;
  #kernels;
  /** Input that is still needed. The next output lies at `#reach - 1` plus `#phase / #up`. */
  #held;
  #length;
  #phase = 0;

  /** @param {number} from samples a second @param {number} to samples a second */
  constructor(from, to) {
    const divisor = common(Math.round(from), to);
    this.#up = to / divisor;
    this.#down = Math.round(from) / divisor;
    const lower = Math.min(from, to);
    this.#reach = Math.ceil((TAPS * from) / (2 * Math.PI * WIDTH * lower) / 2);
    const cutoff = (HALF_OPEN * lower) / from;
    this.#kernels = Array.from({ length: this.#up }, (_, phase) => kernel(phase / this.#up, cutoff, this.#reach));
    this.#held = new Float32Array(2 * this.#reach + 4096);
    this.#length = this.#reach - 1; // silence before the first sample
  }

  /** Return the output that can be computed so far. @param {Float32Array} sound */
  take(sound) {
    this.#append(sound);
    const made = [];
    let centre = this.#reach - 1;
    while (centre + this.#reach < this.#length) {
      made.push(this.#sample(centre));
      this.#phase += this.#down;
      centre += Math.floor(this.#phase / this.#up);
      this.#phase %= this.#up;
    }
    const gone = Math.min(centre - this.#reach + 1, this.#length);
    this.#held.copyWithin(0, gone, this.#length);
    this.#length -= gone;
    return made;
  }

  #sample(centre) {
    const taps = this.#kernels[this.#phase];
    const first = centre - this.#reach + 1;
    let sum = 0;
    for (let index = 0; index < taps.length; index++) sum += taps[index] * this.#held[first + index];
    return sum;
  }

  #append(sound) {
    if (this.#length + sound.length > this.#held.length) {
      const larger = new Float32Array(2 * (this.#length + sound.length));
      larger.set(this.#held.subarray(0, this.#length));
      this.#held = larger;
    }
    this.#held.set(sound, this.#length);
    this.#length += sound.length;
  }
}

/** Return the taps for an output that lies `shift` of a sample after an input. Their sum is 1. */
function kernel(shift, cutoff, reach) {
  const taps = Float64Array.from({ length: 2 * reach }, (_, index) => {
    const away = index - reach + 1 - shift;
    return sinc(2 * cutoff * away) * window(away / reach);
  });
  const sum = taps.reduce((total, tap) => total + tap, 0);
  return Float32Array.from(taps, (tap) => tap / sum);
}

function sinc(x) {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Return the Kaiser window. */
function window(x) {
  return Math.abs(x) >= 1 ? 0 : bessel(BETA * Math.sqrt(1 - x * x)) / bessel(BETA);
}

function bessel(x) {
  let [sum, term] = [1, 1];
  for (let k = 1; term > sum * 1e-12; k++) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function common(a, b) {
  return b ? common(b, a % b) : a;
}
