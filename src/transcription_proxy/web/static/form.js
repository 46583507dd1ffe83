/** Forms that show each error beside its field, and that cannot be submitted twice. */

import { byId, find, notice, replace } from "./dom.js";
import { Failure } from "./http.js";
import { setIcon } from "./icons.js";
import { FORMS } from "./sentences.js";

/** Bytes of a password, in UTF-8, that bcrypt hashes. */
const MAX_PASSWORD_BYTES = 72;

/** @typedef {Record<string, string>} Values */

/**
 * Set up a form. `check` returns problems by field before anything is sent. `fields`: the field at which each error code
 * is shown. `replies`: what is shown there instead of the service's sentence.
 * @param {string} id
 * @param {{check: (values: Values) => Values, send: (values: Values) => Promise<void>, fields: Record<string, string>,
 *   replies?: Record<string, (string | Node)[]>}} what
 */
export function form(id, { check, send, fields, replies = {} }) {
  const element = /** @type {HTMLFormElement} */ (byId(id));
  const button = find(element, "button:not([type])");
  const alert = find(element, ".alert");
  for (const toggle of element.querySelectorAll(".secret button")) toggle.addEventListener("click", reveal);
  for (const input of element.elements) input.addEventListener("input", () => mark(input, ""));
  let busy = false;
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (busy) return;
    const values = /** @type {Values} */ (Object.fromEntries(new FormData(element)));
    replace(alert);
    if (show(element, check(values))) return;
    busy = true;
    button.setAttribute("aria-disabled", "true");
    try {
      await send(values);
    } catch (failure) {
      if (!(failure instanceof Failure)) throw failure;
      const field = fields[failure.code];
      if (field) show(element, { [field]: replies[failure.code] ?? failure.message });
      else replace(alert, notice("bad", failure.message));
    } finally {
      busy = false;
      button.removeAttribute("aria-disabled");
    }
  });
  if ("sent" in element.dataset) element.requestSubmit();
  return element;
}

/** Return what is visibly wrong with an email, or "". @param {string} email */
export function emailProblem(email) {
  if (!email.trim()) return FORMS.emailMissing;
  return /^\S+@\S+\.\S+$/.test(email.trim()) ? "" : FORMS.emailWrong;
}

/** Return what is visibly wrong with a new password, or "". @param {string} password */
export function passwordProblem(password) {
  const normal = password.normalize("NFC"); // the form that the service counts
  if ([...normal].length < 8) return FORMS.passwordShort;
  return new TextEncoder().encode(normal).length > MAX_PASSWORD_BYTES ? FORMS.passwordLong : "";
}

/** Mark invalid fields and focus the first. Return whether there are any. */
function show(element, problems) {
  const inputs = [...element.elements].filter((input) => input.name);
  for (const input of inputs) mark(input, problems[input.name] ?? "");
  const first = inputs.find((input) => problems[input.name]);
  first?.focus();
  return first !== undefined;
}

function mark(input, problem) {
  const place = document.getElementById(`${input.id}-wrong`);
  if (!place) return;
  place.replaceChildren(...[problem].flat());
  if (problem) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
}

function reveal(event) {
  const button = event.currentTarget;
  const input = button.parentElement.querySelector("input");
  const shown = input.type === "password";
  input.type = shown ? "text" : "password";
  setIcon(button, shown ? "hide" : "show");
  button.setAttribute("aria-pressed", String(shown));
}
