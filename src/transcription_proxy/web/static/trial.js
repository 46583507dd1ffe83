/** What a newcomer gets for nothing, in a sentence. */

import { inMinutes } from "./format.js";
import { site } from "./frame.js";

/** Says it in this element; where there is no trial, `otherwise`. @param {Element} place @param {string} otherwise */
export async function sayTrial(place, otherwise) {
  const { trial_seconds } = await site;
  place.textContent = trial_seconds ? `The first ${inMinutes(trial_seconds)} are on us.` : otherwise;
}
