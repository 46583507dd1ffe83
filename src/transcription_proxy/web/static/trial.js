/** What a newcomer gets for nothing, in a sentence. */

import { site } from "./frame.js";
import { START } from "./sentences.js";

/** Says it in this element; where there is no trial, `otherwise`. @param {Element} place @param {string} otherwise */
export async function sayTrial(place, otherwise) {
  const { trial_seconds } = await site;
  place.textContent = trial_seconds ? START.trial(trial_seconds) : otherwise;
}
