/** Chooses a new password with the link from the mail. Its token is in the fragment, which no server and no log sees. */

import { byId } from "./dom.js";
import { form, passwordProblem } from "./form.js";
import "./frame.js";
import { request } from "./http.js";
import { startAgain } from "./session.js";

const token = new URLSearchParams(location.hash.slice(1)).get("token");
history.replaceState(null, "", location.pathname);

const element = form("reset", {
  check: ({ password }) => ({ password: passwordProblem(password) }),
  async send({ password }) {
    try {
      await request("POST", "/auth/reset", { body: { reset_token: token, password } });
    } catch (failure) {
      if (failure.code !== "invalid_reset_token") throw failure;
      dead();
      return;
    }
    startAgain("Your new password is set. Log in with it.");
  },
  fields: { weak_password: "password" },
});

function dead() {
  element.hidden = true;
  byId("dead").hidden = false;
}

if (!token) dead();
