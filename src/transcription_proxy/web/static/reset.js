/**
 * Chooses a new password with the link from the mail. Its token is in the fragment, which no server and no log sees. It
 * moves on to the state of the history entry: out of sight, and still there when the page is reloaded.
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

/** The form for this token; without one, the way to another link. @param {string | null} token */
function show(token) {
  history.replaceState(token && { token }, "", location.pathname);
  element.hidden = !token;
  byId("dead").hidden = Boolean(token);
}

/** The token of a link that was just opened, in a new tab or in this one; else the one from before a reload. */
function arrive() {
  show(new URLSearchParams(location.hash.slice(1)).get("token") ?? history.state?.token ?? null);
}

addEventListener("hashchange", arrive);
arrive();
