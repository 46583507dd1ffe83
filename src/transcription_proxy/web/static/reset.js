/**
 * The page for a new password, opened by the link in the email. The link's token is in the fragment, which no server and no
 * log sees. The page moves it to the history state, where it is hidden and survives a reload.
 */

import { byId } from "./dom.js";
import { form, passwordProblem } from "./form.js";
import "./frame.js";
import { request } from "./http.js";
import { LOGIN } from "./sentences.js";
import { startAgain } from "./session.js";

const element = form("reset", {
  check: ({ password }) => ({ password: passwordProblem(password) }),
  async send({ password }) {
    try {
      await request("POST", "/auth/reset", { body: { reset_token: history.state.token, password } });
    } catch (failure) {
      if (failure.code !== "invalid_reset_token") throw failure;
      show(null);
      return;
    }
    startAgain(LOGIN.passwordChanged);
  },
  fields: { weak_password: "password" },
});

/** Show the form for a token, or without one, a link to request another email. @param {string | null} token */
function show(token) {
  history.replaceState(token && { token }, "", location.pathname);
  element.hidden = !token;
  byId("dead").hidden = Boolean(token);
}

/** Return the token of a link that was just opened, or else the one from before a reload. */
function arrive() {
  show(new URLSearchParams(location.hash.slice(1)).get("token") ?? history.state?.token ?? null);
}

addEventListener("hashchange", arrive);
arrive();
