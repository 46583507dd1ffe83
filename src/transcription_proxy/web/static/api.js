/** Requests of whoever is logged in. A token that the service does not take is renewed once; then the login has ended. */

import { request } from "./http.js";
import { leave, renew, token } from "./session.js";

/**
 * The JSON of the answer. Throws Failure; where the login has ended, the page is left instead.
 * @param {string} method @param {string} path @param {{body?: object, patience?: number, file?: boolean}} [options]
 */
export async function api(method, path, options = {}) {
  const first = await token();
  try {
    return await request(method, path, { ...options, token: first });
  } catch (failure) {
    if (failure.code !== "unauthorized") throw failure;
  }
  const second = await renew(first);
  try {
    return await request(method, path, { ...options, token: second });
  } catch (failure) {
    if (failure.code === "unauthorized") return leave();
    throw failure;
  }
}
