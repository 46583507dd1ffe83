/** The last settings of the captions page, without those that the service no longer offers. */

import { request } from "./http.js";
import { microphones } from "./microphone.js";

const KEY = "try";

/**
 * @typedef {{device: string, config: object, rate: number}} Preferences `device`: empty for the system default; `config`: that
 * of a session; `rate`: credits a second
 * @returns {Promise<Preferences>}
 */
export async function preferences() {
  const kept = remembered();
  const { models, languages, default: usual } = await request("GET", "/captions/options");
  const model = pick(models, [kept.model, usual.model]);
  const spoken = languages.filter(({ id }) => !model.languages || model.languages.includes(id));
  const language = pick(spoken, [kept.language, usual.language]);
  const connected = await microphones().catch(() => []);
  return {
    device: connected.some(({ deviceId }) => deviceId === kept.device) ? kept.device : "",
    config: { model: model.id, language: language.id, interim_results: true, smart_format: true },
    rate: language.credits_per_second ?? model.credits_per_second ?? 1,
  };
}

function pick(entries, wanted) {
  return entries.find(({ id }) => id === wanted.find((each) => entries.some((entry) => entry.id === each))) ?? entries[0];
}

function remembered() {
  try {
    return JSON.parse(localStorage.getItem(KEY) ?? "{}") ?? {};
  } catch {
    return {};
  }
}
