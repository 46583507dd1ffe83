/** Alerts below the captions: at most one for each topic. */

import { byId, h, notice } from "./dom.js";

/**
 * Show an alert, in place of an earlier one on the same topic. @param {string} about @param {"info" | "warn" | "bad"} kind
 * @param {string} text @param {{href: string, text: string}} [link] @param {...Element} actions
 */
export function say(about, kind, text, link, ...actions) {
  const sentence = h("p", {}, text, link && " ", link && h("a", { href: link.href }, link.text));
  const box = notice(kind, sentence, actions.length > 0 && h("div", { class: "row tight" }, ...actions));
  box.setAttribute("role", kind === "info" ? "status" : "alert");
  box.dataset.about = about;
  unsay(about);
  byId("alerts").append(box);
}

/** Scroll to a topic's alert if it is below the screen. @param {string} about */
export function reveal(about) {
  said(about)?.scrollIntoView({ block: "nearest" });
}

/** Remove a topic's alert. @param {string} about */
export function unsay(about) {
  said(about)?.remove();
}

/** Return a topic's alert, or null. @param {string} about */
export function said(about) {
  return byId("alerts").querySelector(`[data-about="${about}"]`);
}
