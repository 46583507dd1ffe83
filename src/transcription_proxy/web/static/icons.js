/** Icons: lines on a grid of 24 by 24, in the color of the text beside them. Screen readers ignore them, so a button that
 * has only an icon needs an `aria-label`. */

import { s } from "./dom.js";

/** The lines of each icon, as SVG paths. */
const PATHS = {
  copy: ["M11 8h7a2 2 0 0 1 2 2v8a2 2 0 0 1-2 2h-7a2 2 0 0 1-2-2v-8a2 2 0 0 1 2-2z", "M5 15.5a2 2 0 0 1-1-1.7V6a2 2 0 0 1 2-2h7.8a2 2 0 0 1 1.7 1"],
  show: ["M2.5 12S6 5.5 12 5.5 21.5 12 21.5 12 18 18.5 12 18.5 2.5 12 2.5 12z", "M12 9a3 3 0 0 1 0 6 3 3 0 0 1 0-6z"],
  hide: ["M6.3 7C3.8 8.9 2.5 12 2.5 12S6 18.5 12 18.5c1.7 0 3.2-.5 4.5-1.2", "M9.8 5.8A9 9 0 0 1 12 5.5c6 0 9.5 6.5 9.5 6.5a15 15 0 0 1-2.2 3", "M9.9 9.9a3 3 0 0 0 4.2 4.2", "M4 4l16 16"],
  mic: ["M12 3a3 3 0 0 1 3 3v6a3 3 0 0 1-6 0V6a3 3 0 0 1 3-3z", "M5.5 11.5V12a6.5 6.5 0 0 0 13 0v-.5", "M12 18.5V21"],
  download: ["M12 4v11", "M7 10.5l5 5 5-5", "M4.5 20h15"],
  play: ["M7.5 4.5v15l12-7.5z"],
  stop: ["M7.5 6h9A1.5 1.5 0 0 1 18 7.5v9a1.5 1.5 0 0 1-1.5 1.5h-9A1.5 1.5 0 0 1 6 16.5v-9A1.5 1.5 0 0 1 7.5 6z"],
  check: ["M4.5 12.5l5 5 10-11"],
  alert: ["M12 4l9 16H3z", "M12 10.5v4", "M12 17.3v.1"],
  external: ["M14 4h6v6", "M20 4l-9 9", "M18 14v4a2 2 0 0 1-2 2H6a2 2 0 0 1-2-2V8a2 2 0 0 1 2-2h4"],
  plus: ["M12 5v14", "M5 12h14"],
  refresh: ["M19.5 8A8 8 0 0 0 4.2 10.5", "M20 4v4.5h-4.5", "M4.5 16a8 8 0 0 0 15.3-2.5", "M4 20v-4.5h4.5"],
};

/** @typedef {keyof typeof PATHS} IconName */

/** Return an icon 1.25em wide. @param {IconName} name */
export function icon(name) {
  const lines = PATHS[name].map((d) => s("path", { d }));
  return s("svg", { class: "icon", viewBox: "0 0 24 24", "aria-hidden": "true", focusable: "false" }, ...lines);
}

/** Set or replace a button's icon. @param {Element} button @param {IconName} name */
export function setIcon(button, name) {
  const old = button.querySelector(".icon");
  if (old) old.replaceWith(icon(name));
  else button.prepend(icon(name));
}

/** Draw the icons that a page's HTML names: `<span class="icon" data-icon="copy"></span>` reserves the space, so nothing moves. */
export function drawIcons() {
  for (const place of document.querySelectorAll("[data-icon]"))
    place.replaceWith(icon(/** @type {IconName} */ (place.getAttribute("data-icon"))));
}
