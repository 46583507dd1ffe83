/** Confirms an email with the link from the mail. Its token is in the fragment, which no server and no log sees. */

import { byId } from "./dom.js";
import "./frame.js";
import { request } from "./http.js";
import { CONFIRM } from "./sentences.js";

async function arrive() {
  const token = new URLSearchParams(location.hash.slice(1)).get("token");
  history.replaceState(null, "", location.pathname);
  if (!token) {
    byId("said").textContent = CONFIRM.noToken;
    return;
  }
  try {
    const { message } = await request("POST", "/auth/confirm", { body: { confirm_token: token } });
    byId("said").textContent = message;
    byId("on").hidden = false;
  } catch (failure) {
    byId("said").textContent = failure.message;
  }
}

arrive();
