/** The sentence about the free trial. */

import { site } from "./frame.js";
import { START } from "./sentences.js";

/** Show the sentence in an element, or `otherwise` if there is no trial. @param {Element} place @param {string} otherwise */
export async function sayTrial(place, otherwise) {
  const { trial_seconds } = await site;
  place.textContent = trial_seconds ? START.trial(trial_seconds) : otherwise;
}
