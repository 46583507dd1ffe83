/** Downloads private files: fetches them with the token, then passes them to the browser. */

import { api } from "./api.js";
import { h, notice, replace } from "./dom.js";
import { DOWNLOAD } from "./sentences.js";

/** Timeout of a download, long enough for a long history. */
const TIMEOUT_MS = 120_000;

/** Make a button download the file at `path`. @param {Element} button @param {Element} alert @param {string} path */
export function offerDownload(button, alert, path) {
  button.addEventListener("click", async () => {
    if (button.getAttribute("aria-disabled")) return;
    button.setAttribute("aria-disabled", "true");
    replace(alert);
    try {
      const { blob, name } = await api("GET", path, { file: true, timeoutMs: TIMEOUT_MS });
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
