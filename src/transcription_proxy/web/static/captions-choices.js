/** The settings of /captions and their cost: microphone, model, language, custom words. This browser remembers them. */

import { byId, failed, h, replace } from "./dom.js";
import { request } from "./http.js";
import { microphones } from "./microphone.js";
import { MICROPHONE, SETTINGS } from "./sentences.js";

/**
 * @typedef {{id: string, name: string, credits_per_second: number, languages: string[] | null}} Model
 * @typedef {{id: string, name: string, credits_per_second: number | null}} Language
 * @typedef {{id: string, name: string, credits_per_second: number, models: string[]}} Addon
 * @typedef {{engine: string, models: Model[], languages: Language[], addons: Addon[], default: Record<string, any>}} Options
 */

/** The localStorage key, from the page's former name. */
const KEY = "try";
/** Deepgram's models that accept `keywords`. Later models refuse it and accept `keyterm`. */
const KEYWORDS = /^nova-2(-|$)/;
/** The service's limits on custom words. */
const [MOST_TERMS, LONGEST_TERM, LONGEST_TERMS] = [100, 200, 4000];

export class Choices {
  /** @type {Options | null} */
  #options = null;
  #fields = /** @type {HTMLFieldSetElement} */ (byId("fields"));
  #device = /** @type {HTMLSelectElement} */ (byId("device"));
  #model = /** @type {HTMLSelectElement} */ (byId("model"));
  #language = /** @type {HTMLSelectElement} */ (byId("language"));
  #terms = /** @type {HTMLTextAreaElement} */ (byId("terms"));
  #diarize = /** @type {HTMLInputElement} */ (byId("diarize"));
  #kept = remembered();

  constructor() {
    byId("choices").addEventListener("submit", (event) => event.preventDefault());
    this.#fields.addEventListener("change", ({ target }) => this.#changed(target));
    this.#terms.addEventListener("input", () => this.#showPrice());
    this.#terms.value = this.#kept.terms ?? "";
    this.#diarize.checked = this.#kept.diarize ?? false;
    navigator.mediaDevices?.addEventListener("devicechange", () => this.listDevices());
    this.listDevices();
    this.load();
  }

  /** Whether a session can start with these settings. */
  get ready() {
    return this.#options !== null;
  }

  get device() {
    return this.#device.value;
  }

  /** The `config` of a session. */
  get config() {
    const terms = this.#offersTerms ? this.#termList : [];
    return {
      model: this.#model.value,
      language: this.#language.value,
      interim_results: true,
      smart_format: true,
      ...(terms.length ? { [this.#keyterm ? "keyterm" : "keywords"]: terms } : {}),
      ...(this.#speakers && this.#diarize.checked ? { diarize: true } : {}),
    };
  }

  /** The cost in credits a second. */
  get rate() {
    const language = this.#options?.languages.find(({ id }) => id === this.#language.value);
    const addons = [this.#termList.length ? this.#keyterm : null, this.#diarize.checked ? this.#speakers : null];
    const base = language?.credits_per_second ?? this.#chosen?.credits_per_second ?? 1;
    return addons.reduce((sum, addon) => sum + (addon?.credits_per_second ?? 0), base);
  }

  /** Show what is wrong with the custom words beside them, and return whether anything is. */
  wrong() {
    const terms = this.#offersTerms ? this.#termList : [];
    let problem = "";
    if (terms.length > MOST_TERMS) problem = SETTINGS.manyTerms(MOST_TERMS);
    else if (terms.some((term) => term.length > LONGEST_TERM)) problem = SETTINGS.longTerm(LONGEST_TERM);
    else if (terms.join("").length > LONGEST_TERMS) problem = SETTINGS.longTerms(LONGEST_TERMS);
    byId("terms-wrong").textContent = problem;
    if (problem) this.#terms.setAttribute("aria-invalid", "true");
    else this.#terms.removeAttribute("aria-invalid");
    if (problem) this.#terms.focus();
    return problem !== "";
  }

  /** @param {boolean} locked while a session runs */
  lock(locked) {
    this.#fields.disabled = locked;
  }

  /** Show a problem beside the microphone; empty text: no problem. @param {string} text */
  deviceProblem(text) {
    byId("device-wrong").textContent = text;
    if (!text) return this.#device.removeAttribute("aria-invalid");
    this.#device.setAttribute("aria-invalid", "true");
    return this.#device.focus();
  }

  /** List the microphones. Browsers name them only once the page may use one. */
  async listDevices() {
    const found = await microphones().catch(() => []);
    const wanted = this.#device.value || this.#kept.device;
    const entries = found.map(({ deviceId, label }, index) => option(deviceId, label || MICROPHONE.numbered(index + 1)));
    replace(this.#device, option("", MICROPHONE.system), ...entries);
    if (found.some(({ deviceId }) => deviceId === wanted)) this.#device.value = wanted;
  }

  async load() {
    replace(byId("options-alert"));
    try {
      this.#options = /** @type {Options} */ (await request("GET", "/captions/options"));
    } catch (failure) {
      replace(byId("options-alert"), failed(SETTINGS.failed(failure.message), () => this.load()));
      return;
    }
    const { models, default: usual } = this.#options;
    fill(this.#model, models, [this.#kept.model, usual.model]);
    this.#showLanguages(this.#kept.language);
  }

  #changed(target) {
    if (target === this.#model) this.#showLanguages(this.#language.value);
    if (target === this.#device) this.deviceProblem("");
    if (target === this.#terms) this.wrong();
    this.#kept = {
      device: this.#device.value,
      model: this.#model.value,
      language: this.#language.value,
      terms: this.#terms.value,
      diarize: this.#diarize.checked,
    };
    localStorage.setItem(KEY, JSON.stringify(this.#kept));
    this.#showPrice();
  }

  #showLanguages(wanted) {
    const { languages, default: usual } = /** @type {Options} */ (this.#options);
    const spoken = this.#chosen?.languages;
    const known = spoken ? languages.filter(({ id }) => spoken.includes(id)) : languages;
    fill(this.#language, known, [wanted, usual.language]);
    byId("terms-field").hidden = !this.#offersTerms;
    byId("diarize-field").hidden = !this.#speakers;
    this.#showPrice();
  }

  #showPrice() {
    if (!this.#options) return;
    byId("price").textContent = SETTINGS.price(Number(this.rate.toFixed(6)));
  }

  get #chosen() {
    return this.#options?.models.find(({ id }) => id === this.#model.value);
  }

  get #termList() {
    return this.#terms.value.split("\n").map((term) => term.trim()).filter(Boolean);
  }

  /** Whether the model accepts custom words: as `keyterm`, which has a price, or as `keywords`, which are free. */
  get #offersTerms() {
    return this.#keyterm !== undefined || (this.#options?.engine === "deepgram" && KEYWORDS.test(this.#model.value));
  }

  get #keyterm() {
    return this.#addon("keyterm");
  }

  get #speakers() {
    return this.#addon("diarize");
  }

  #addon(name) {
    return this.#options?.addons.find(({ id, models }) => id === name && models.includes(this.#model.value));
  }
}

/** Fill a select element. With a single entry, show it as text instead. */
function fill(select, entries, wanted) {
  replace(select, ...entries.map(({ id, name }) => option(id, name)));
  select.value = wanted.find((id) => entries.some((entry) => entry.id === id)) ?? entries[0].id;
  select.disabled = false;
  const only = /** @type {HTMLOutputElement} */ (byId(`${select.id}-only`));
  const isOne = entries.length === 1;
  only.textContent = isOne ? entries[0].name : "";
  select.hidden = isOne;
  only.hidden = !isOne;
  byId("choices").querySelector(`label[for^="${select.id}"]`)?.setAttribute("for", isOne ? only.id : select.id);
}

function option(value, text) {
  return h("option", { value }, text);
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
