/** The email that somebody typed, carried between the pages for logging in, registering and resetting a password. It stays in
 * this tab and is never part of an address. */

const KEY = "typed_email";

/** Fill in what was typed on another page, and remember what is typed here. @param {HTMLInputElement} input */
export function carryEmail(input) {
  if (!input.value) input.value = sessionStorage.getItem(KEY) ?? "";
  input.addEventListener("input", () => sessionStorage.setItem(KEY, input.value));
}

export function forgetEmail() {
  sessionStorage.removeItem(KEY);
}
