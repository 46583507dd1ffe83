/** A mask for words that a stream may not show: their first letter stays. English only; the engines have their own filters,
 * which know more languages. */

/** With any ending. */
const BEGINNINGS = "(?:mother)?fuck|(?:bull|horse|dip)?shit|bitch|cunt|asshole|arsehole|dickhead|bastard|wank|twat|slut|whore|nigg[ae]|fagg?ot|retard|jerkoff|cocksuck";
/** As they are, or several of them. */
const WHOLE = "ass|arse|dick|cock|prick|pussy|pussies|tit|titties|piss|pissed|pissing|damn|goddamn|bollocks|fag|tranny|trannies|kike|spic|chink|jackass|dumbass|badass|cum";
const WORDS = new RegExp(`(?<![\\p{L}\\p{N}])(?:(?:${BEGINNINGS})\\p{L}*|(?:${WHOLE})(?:s|es)?)(?![\\p{L}\\p{N}])`, "giu");

/** @param {string} text */
export function masked(text) {
  return text.replace(WORDS, ([first, ...rest]) => first + "*".repeat(rest.length));
}
