/** The landing page: the login, the prices, and the picture of captions. */

import { byId, h, notice, replace } from "./dom.js";
import { emailProblem, form } from "./form.js";
import { outside, site } from "./frame.js";
import { request } from "./http.js";
import { noPackages, packages, showPackages } from "./packages.js";
import { enter, keep, session, takeNotice } from "./session.js";
import { sayTrial } from "./trial.js";

const WORD_EVERY = 330;

form("login", {
  check: ({ email, password }) => ({ email: emailProblem(email), password: password ? "" : "Enter your password." }),
  async send({ email, password }) {
    const login = await request("POST", "/auth/login", { body: { email: email.trim(), password } });
    keep(login, login.user.email);
    enter();
  },
  fields: { invalid_credentials: "password", invalid_email: "email" },
});

async function prices() {
  const list = byId("packages");
  try {
    showPackages(list, await packages(), () =>
      h("a", { class: "button quiet guest", href: "/register" }, "Create account"),
    );
  } catch (failure) {
    noPackages(list, failure.message, prices);
  }
}

/** Words come one by one, once, and then stay: nothing on the page moves for long. */
function speak() {
  const place = byId("words");
  const words = (place.textContent ?? "").split(" ").map((word) => h("i", {}, word));
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  replace(place);
  words.forEach((word, index) => {
    setTimeout(() => {
      word.className = "fresh";
      place.append(index ? " " : "", word);
      setTimeout(() => word.removeAttribute("class"), 2 * WORD_EVERY);
    }, index * WORD_EVERY);
  });
}

const sentence = takeNotice();
if (sentence) {
  replace(byId("notice"), notice("info", sentence));
  byId("log-in").scrollIntoView({ block: "nearest" });
  byId("email").focus({ preventScroll: true });
}
byId("who").textContent = session()?.email ?? "";
sayTrial(byId("trial"), "");
site.then(({ source_url }) => {
  const link = outside(source_url, "Read the source");
  if (link) byId("source").replaceWith(link);
});
speak();
prices();
