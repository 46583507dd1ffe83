/** Files that only their owner may have: fetched with the token, then handed to the browser. */

import { api } from "./api.js";
import { h, notice, replace } from "./dom.js";
import { DOWNLOAD } from "./sentences.js";

/** A long history takes its time. In ms. */
const PATIENCE = 120_000;

/** Makes a button fetch the file at `path`. @param {Element} button @param {Element} alert @param {string} path */
export function offerDownload(button, alert, path) {
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    replace(alert);
    try {
      const { blob, name } = await api("GET", path, { file: true, patience: PATIENCE });
      hand(blob, name);
    } catch (failure) {
      replace(alert, notice("bad", DOWNLOAD.failed(failure.message)));
    } finally {
      button.removeAttribute("aria-disabled");
    }
  });
}

/** @param {Blob} blob @param {string} name */
function hand(blob, name) {
  const url = URL.createObjectURL(blob);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
