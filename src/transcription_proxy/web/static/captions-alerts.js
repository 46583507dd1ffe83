/** What is said below the words: one box for each thing that it is about. */

import { byId, h, notice } from "./dom.js";

/**
 * Say it; what was said about the same before is gone. @param {string} about @param {"info" | "warn" | "bad"} kind
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

/** Scroll to the box about it, where the screen ends above it. @param {string} about */
export function reveal(about) {
  said(about)?.scrollIntoView({ block: "nearest" });
}

/** @param {string} about */
export function unsay(about) {
  said(about)?.remove();
}

/** The box about it, if there is one. @param {string} about */
export function said(about) {
  return byId("alerts").querySelector(`[data-about="${about}"]`);
}
