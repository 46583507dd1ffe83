/** The landing page: the animated example, the prices, and the login. */

import { byId, h, notice, replace } from "./dom.js";
import { emailProblem, form } from "./form.js";
import { outside, site } from "./frame.js";
import { request } from "./http.js";
import { noPackages, packages, showPackages } from "./packages.js";
import { FORMS, START } from "./sentences.js";
import { enter, keep, session, takeNotice } from "./session.js";
import { sayTrial } from "./trial.js";
import { carryEmail } from "./typed-email.js";

const WORD_EVERY = 330;

form("login", {
  check: ({ email, password }) => ({ email: emailProblem(email), password: password ? "" : FORMS.passwordMissing }),
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
    showPackages(list, await packages(), next);
  } catch (failure) {
    noPackages(list, failure.message, prices);
  }
}

/** Return a link that buys a package. @param {import("./packages.js").Package} item */
function next({ label }) {
  const [href, text] = session() ? ["/dashboard#buy", START.buy] : ["/register", START.createAccount];
  return h("a", { class: "button soft", href, "aria-label": START.about(text, label) }, text);
}

/** Show two more lines, word by word and only once, so that nothing on the page keeps moving. */
async function speak() {
  if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
  const [above, below] = byId("words").children;
  for (const line of START.spoken) {
    await new Promise((resolve) => setTimeout(resolve, 2 * WORD_EVERY));
    replace(above, below.textContent);
    replace(below);
    for (const word of line.split(" ")) {
      below.querySelector("i")?.removeAttribute("class");
      below.append(" ", h("i", { class: "fresh" }, word));
      await new Promise((resolve) => setTimeout(resolve, WORD_EVERY));
    }
    replace(below, line);
  }
}

/** Focus the first empty field of the login if the URL leads to it. */
function toLogin() {
  if (location.hash === "#log-in") type();
}

function type() {
  byId(email.value ? "password" : "email").focus({ preventScroll: true });
}

const email = /** @type {HTMLInputElement} */ (byId("email"));
carryEmail(email);
const sentence = takeNotice();
if (sentence) {
  replace(byId("notice"), notice("info", sentence));
  byId("log-in").scrollIntoView({ block: "center" });
  type();
}
byId("who").textContent = session()?.email ?? "";
sayTrial(byId("trial"), "");
site.then(({ source_url }) => {
  const link = outside(source_url, START.readSource);
  if (link) byId("source").append(link);
});
addEventListener("hashchange", toLogin);
addEventListener("load", () => setTimeout(toLogin)); // the browser first scrolls to the fragment and moves the focus there
speak();
prices();
