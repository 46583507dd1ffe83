/** The overlay's address for OBS, with the looks that were chosen in this browser. */

import { api } from "./api.js";
import { read, write } from "./overlay-style.js";

const KEY = "overlay-style";

/** @returns {Promise<string>} */
export async function overlayUrl() {
  const url = new URL((await api("GET", "/account/overlay")).url);
  url.search = String(write(read(new URLSearchParams(localStorage.getItem(KEY) ?? ""))));
  return url.href;
}
