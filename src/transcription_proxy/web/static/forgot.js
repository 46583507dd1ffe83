/** The page that requests a password-reset link. The answer is the same whether or not the email has an account. */

import { byId } from "./dom.js";
import { emailProblem, form } from "./form.js";
import "./frame.js";
import { request } from "./http.js";
import { carryEmail } from "./typed-email.js";

const element = form("forgot", {
  check: ({ email }) => ({ email: emailProblem(email) }),
  async send({ email }) {
    await request("POST", "/auth/forgot", { body: { email: email.trim() } });
    byId("address").textContent = email.trim();
    turn(true);
    byId("sent").focus();
  },
  fields: { invalid_email: "email" },
});

/** @param {boolean} sent */
function turn(sent) {
  byId("sent").hidden = !sent;
  element.hidden = sent;
}

carryEmail(/** @type {HTMLInputElement} */ (byId("email")));
byId("again").addEventListener("click", () => {
  turn(false);
  byId("email").focus();
});
