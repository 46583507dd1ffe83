/** A new account; it is logged in at once. */

import { byId, replace } from "./dom.js";
import { emailProblem, form, passwordProblem } from "./form.js";
import { outside, site } from "./frame.js";
import { request } from "./http.js";
import { enter, keep } from "./session.js";
import { sayTrial } from "./trial.js";

form("register", {
  check: ({ email, password }) => ({ email: emailProblem(email), password: passwordProblem(password) }),
  async send({ email, password }) {
    const login = await request("POST", "/auth/register", { body: { email: email.trim(), password } });
    keep(login, login.user.email);
    enter();
  },
  fields: { invalid_email: "email", email_taken: "email", weak_password: "password" },
});

site.then(({ terms_url, privacy_url }) => {
  const links = [outside(terms_url, "terms"), outside(privacy_url, "privacy policy")].filter(Boolean);
  if (!links.length) return;
  const [first, second] = links;
  replace(byId("agreement"), "By creating an account you accept our ", first, second && " and ", second, ".");
  byId("agreement").hidden = false;
});
sayTrial(byId("trial"), "All you need is an email and a password.");
