/** Logs out, and first asks for confirmation if captions of this browser would end. */

import { h } from "./dom.js";
import { LOGOUT } from "./sentences.js";
import { logOut } from "./session.js";
import { endTabs, liveTabs } from "./tabs.js";

export async function askLogOut() {
  const live = await liveTabs();
  if (live.length && !(await confirmed())) return;
  if (live.length) await endTabs(live.length);
  await logOut();
}

/** Return the answer of a dialog; Escape means no. @returns {Promise<boolean>} */
function confirmed() {
  return new Promise((resolve) => {
    const answer = (yes) => () => {
      resolve(yes);
      dialog.close();
    };
    const button = (kind, text, yes) => h("button", { type: "button", class: `button ${kind}`, onclick: answer(yes) }, text);
    const dialog = /** @type {HTMLDialogElement} */ (
      h(
        "dialog",
        { class: "ask card", "aria-labelledby": "ask-title", "aria-describedby": "ask-text" },
        h("h2", { id: "ask-title" }, LOGOUT.title),
        h("p", { id: "ask-text" }, LOGOUT.ends),
        h("div", { class: "row" }, button("quiet", LOGOUT.stay, false), button("danger", LOGOUT.leave, true)),
      )
    );
    dialog.addEventListener("close", () => {
      resolve(false);
      dialog.remove();
    });
    document.body.append(dialog);
    dialog.showModal();
  });
}
