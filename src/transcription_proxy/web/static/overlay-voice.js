/** "Preview with your voice": shows the live captions, or starts a short session and shows its cost. */

import { byId, failed, h, notice, replace } from "./dom.js";
import { setIcon } from "./icons.js";
import { LiveSource, MAX_SESSION_MS, MicrophoneSource } from "./overlay-voices.js";
import { poll } from "./poll.js";
import { preferences } from "./preferences.js";
import { CAPTIONS, OVERLAY, SETTINGS } from "./sentences.js";
import { liveSessions } from "./sessions.js";

const POLL_MS = 4000;
/** The style of each state's tag; all other states are shown as warnings. */
const KINDS = { live: "live", following: "live" };

export class VoicePreview {
  #preview;
  #key;
  #button = byId("voice");
  /** @type {LiveSource | MicrophoneSource | null} */
  #voice = null;
  #isLive = false;
  /** @type {import("./preferences.js").Preferences | null} */
  #preferences = null;

  /** @param {import("./overlay-preview.js").Preview} preview @param {() => string} key the overlay's */
  constructor(preview, key) {
    this.#preview = preview;
    this.#key = key;
    this.#button.addEventListener("click", () => this.#toggle());
    this.#load();
    poll(() => this.#look(), POLL_MS)();
  }

  /** Whether the service counts the preview as one of the account's overlays. */
  get watches() {
    return this.#voice?.watches ?? false;
  }

  async #load() {
    replace(byId("voice-alert"));
    try {
      this.#preferences = await preferences();
    } catch (failure) {
      replace(byId("voice-alert"), failed(SETTINGS.failed(failure.message), () => this.#load()));
    }
    this.#sayPrice();
  }

  async #look() {
    if (this.#voice instanceof MicrophoneSource) return; // the preview's session is live too
    this.#isLive = (await liveSessions()).some(({ status }) => status === "active");
    if (this.#voice instanceof LiveSource && !this.#isLive) this.#voice.stop();
    this.#sayPrice();
  }

  #toggle() {
    if (this.#voice) return this.#voice.stop();
    const key = this.#isLive ? this.#key() : "";
    const known = this.#preferences;
    if (!key && !known) return undefined;
    replace(byId("voice-alert"));
    this.#preview.showVoice();
    setIcon(this.#button, "stop");
    byId("voice-label").textContent = OVERLAY.stopPreview;
    this.#voice = key ? new LiveSource(key, this.#listener) : known && new MicrophoneSource(known, this.#listener);
    return undefined;
  }

  /** @type {import("./overlay-voices.js").Listener} */
  #listener = {
    line: (line) => this.#preview.line(line),
    clear: (which) => this.#preview.clear(which),
    state: (state) => this.#sayState(state),
    used: (seconds) => (byId("voice-price").textContent = OVERLAY.using(seconds, MAX_SESSION_MS / 1000)),
    ended: (why) => this.#ended(why),
  };

  #ended(why) {
    this.#voice = null;
    this.#preview.showSample();
    setIcon(this.#button, "mic");
    byId("voice-label").textContent = OVERLAY.preview;
    byId("voice-state").hidden = true;
    this.#sayPrice();
    if (!why) return;
    const { kind, text, link } = why;
    replace(byId("voice-alert"), notice(kind, h("p", {}, text, link && " ", link && h("a", { href: link.href }, link.text))));
  }

  #sayState(state) {
    const place = byId("voice-state");
    place.hidden = false;
    place.className = `tag wraps ${KINDS[state] ?? "warn"}`;
    place.textContent = state === "following" ? OVERLAY.following : CAPTIONS.states[state];
  }

  #sayPrice() {
    if (this.#voice) return;
    const rate = this.#preferences ? ` ${SETTINGS.price(Number(this.#preferences.rate.toFixed(6)))}` : "";
    byId("voice-price").textContent = this.#isLive ? OVERLAY.freePreview : `${OVERLAY.shortPreview(MAX_SESSION_MS / 1000)}${rate}`;
  }
}
