/** Requests with the user's token. If the service refuses the token, it is renewed once; after that the login has ended. */

import { request } from "./http.js";
import { leave, renew, token } from "./session.js";

/**
 * Return the JSON of the answer. Throw Failure. If the login has ended, leave the page instead.
 * @param {string} method @param {string} path @param {{body?: object, timeoutMs?: number, file?: boolean}} [options]
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
