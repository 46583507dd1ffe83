/** The packages on the dashboard, with buttons that lead to the checkout. */

import { api } from "./api.js";
import { afterDebt } from "./balance.js";
import { byId, find, h, notice, replace } from "./dom.js";
import { noPackages, packages, showPackages } from "./packages.js";
import { DASHBOARD } from "./sentences.js";

export class PackagesPanel {
  /** @type {import("./packages.js").Package[] | null} */
  #offered = null;
  #left = 0;

  async load() {
    try {
      this.#offered = await packages();
      this.#show();
    } catch (failure) {
      noPackages(byId("packages"), failure.message, () => this.load());
    }
  }

  /** Show on each package the balance after it, while the user owes something. @param {number} left */
  mind(left) {
    const changed = left !== this.#left && Math.min(left, this.#left) < 0;
    this.#left = left;
    if (changed) this.#show();
  }

  #show() {
    if (this.#offered)
      showPackages(byId("packages"), this.#offered, buyButton, ({ seconds }) => afterDebt(this.#left, seconds));
  }
}

function buyButton(item) {
  const button = h(
    "button",
    { type: "button", class: "button soft wide", "aria-label": DASHBOARD.buyThis(item.label), onclick: () => buy(item, button) },
    DASHBOARD.buy,
  );
  return button;
}

async function buy(item, button) {
  if (button.getAttribute("aria-disabled")) return;
  const alert = find(byId("buy"), ".alert");
  replace(alert);
  button.setAttribute("aria-disabled", "true");
  try {
    const { checkout_url } = await api("POST", "/billing/checkout", { body: { package_id: item.id } });
    if (!/^https?:\/\//.test(checkout_url)) throw new Error("The checkout is no address of the web");
    location.assign(checkout_url);
  } catch (failure) {
    replace(alert, notice("bad", failure.status === undefined ? DASHBOARD.noCheckout : failure.message));
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
