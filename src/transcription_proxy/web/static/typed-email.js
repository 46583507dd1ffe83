/** Carries a typed email between the pages for logging in, registering and resetting a password. It stays in this tab and is
 * never part of a URL. */

const KEY = "typed_email";

/** Fill in the email from another page, and remember the one that is typed here. @param {HTMLInputElement} input */
export function carryEmail(input) {
  if (!input.value) input.value = sessionStorage.getItem(KEY) ?? "";
  input.addEventListener("input", () => sessionStorage.setItem(KEY, input.value));
}

export function forgetEmail() {
  sessionStorage.removeItem(KEY);
}
