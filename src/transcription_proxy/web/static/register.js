/** The page that registers an account, logs it in and leads to the captions page. */

import { byId, h, replace } from "./dom.js";
import { emailProblem, form, passwordProblem } from "./form.js";
import { outside, site } from "./frame.js";
import { request } from "./http.js";
import { REGISTER } from "./sentences.js";
import { enter, keep } from "./session.js";
import { sayTrial } from "./trial.js";
import { carryEmail } from "./typed-email.js";

form("register", {
  check: ({ email, password }) => ({ email: emailProblem(email), password: passwordProblem(password) }),
  async send({ email, password }) {
    const login = await request("POST", "/auth/register", { body: { email: email.trim(), password } });
    keep(login, login.user.email);
    enter("/captions");
  },
  fields: { invalid_email: "email", email_taken: "email", weak_password: "password" },
  replies: { email_taken: [REGISTER.taken, h("a", { href: "/#log-in" }, REGISTER.logIn)] },
});

carryEmail(/** @type {HTMLInputElement} */ (byId("email")));
site.then(({ terms_url, privacy_url }) => {
  const links = [outside(terms_url, REGISTER.terms), outside(privacy_url, REGISTER.privacy)].filter(Boolean);
  if (!links.length) return;
  const [first, second] = links;
  replace(byId("agreement"), REGISTER.agreement, first, second && REGISTER.and, second, ".");
  byId("agreement").hidden = false;
});
sayTrial(byId("trial"), REGISTER.without);
