/** Masks English swear words, all but the first letter. The speech engines have filters for more languages. */

/** Beginnings of words, masked with any ending. */
const BEGINNINGS = "(?:mother)?fuck|(?:bull|horse|dip)?shit|bitch|cunt|asshole|arsehole|dickhead|bastard|wank|twat|slut|whore|nigg[ae]|fagg?ot|retard|jerkoff|cocksuck";
/** Whole words, masked also in the plural. */
const WHOLE = "ass|arse|dick|cock|prick|pussy|pussies|tit|titties|piss|pissed|pissing|damn|goddamn|bollocks|fag|tranny|trannies|kike|spic|chink|jackass|dumbass|badass|cum";
const WORDS = new RegExp(`(?<![\\p{L}\\p{N}])(?:(?:${BEGINNINGS})\\p{L}*|(?:${WHOLE})(?:s|es)?)(?![\\p{L}\\p{N}])`, "giu");

/** @param {string} text */
export function masked(text) {
  return text.replace(WORDS, ([first, ...rest]) => first + "*".repeat(rest.length));
}
