/** A form that says what is wrong beside the field that is, and cannot be sent twice. */

import { byId, find, notice, replace } from "./dom.js";
import { Failure } from "./http.js";
import { setIcon } from "./icons.js";
import { FORMS } from "./sentences.js";

/** Bytes of a password, in UTF-8, that bcrypt looks at. */
const LONGEST = 72;

/** @typedef {Record<string, string>} Values */

/**
 * `check` names what is wrong by field before anything is sent; `fields` says at which field each error code is shown,
 * `replies` what is shown there in place of the service's own sentence.
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

/** What is wrong with an address, as far as one can see. @param {string} email */
export function emailProblem(email) {
  if (!email.trim()) return FORMS.emailMissing;
  return /^\S+@\S+\.\S+$/.test(email.trim()) ? "" : FORMS.emailWrong;
}

/** What is wrong with a new password, as far as one can see. @param {string} password */
export function passwordProblem(password) {
  const normal = password.normalize("NFC"); // the form that the service counts
  if ([...normal].length < 8) return FORMS.passwordShort;
  return new TextEncoder().encode(normal).length > LONGEST ? FORMS.passwordLong : "";
}

/** Marks the fields that are wrong, and goes to the first. Whether there was one. */
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
