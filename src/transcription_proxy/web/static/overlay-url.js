/** Returns the overlay's URL for OBS, with the style that this browser remembers. */

import { api } from "./api.js";
import { read, write } from "./overlay-style.js";

const KEY = "overlay-style";

/** @returns {Promise<string>} */
export async function overlayUrl() {
  const url = new URL((await api("GET", "/account/overlay")).url);
  url.search = String(write(read(new URLSearchParams(localStorage.getItem(KEY) ?? ""))));
  return url.href;
}
