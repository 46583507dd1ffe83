/** The dashboard's usage: a chart of the last 7, 30 or 90 days, and their totals. */

import { api } from "./api.js";
import { Chart } from "./chart.js";
import { byId, failed, h, replace } from "./dom.js";
import { duration, grouped, money, ZONE } from "./format.js";
import { USAGE } from "./sentences.js";

/**
 * @typedef {{seconds_used: number, seconds_purchased: number, seconds_adjusted: number, sessions: number,
 *   spent_cents: number, currency: string}} Totals
 * @typedef {{days: import("./balance.js").Day[], totals: Totals, sessions: import("./sessions.js").Session[]}} Usage
 */

/** Days that forecasts and the lists below cover. */
export const MONTH = 30;

/** @param {number} days @returns {Promise<Usage>} */
export async function usage(days) {
  try {
    return await api("GET", `/account/usage?tz=${encodeURIComponent(ZONE)}&days=${days}`);
  } catch (failure) {
    if (failure.code !== "invalid_timezone") throw failure;
    return api("GET", `/account/usage?days=${days}`);
  }
}

export class UsagePanel {
  #chart = new Chart(byId("chart"));
  #period = byId("period");
  #days = MONTH;

  constructor() {
    this.#period.addEventListener("change", (event) => {
      this.#choose(Number(/** @type {HTMLInputElement} */ (event.target).value));
    });
    /** @type {HTMLInputElement | null} */
    const chosen = this.#period.querySelector("input:checked"); // the browser may have kept a choice, such as after Back
    this.#days = Number(chosen?.value) || MONTH;
  }

  /** Show the chosen period. @param {Usage} month the usage of the last 30 days */
  async refresh(month) {
    const days = this.#days;
    const found = days === MONTH ? month : await usage(days);
    if (days === this.#days) this.#show(found);
  }

  /** Show that nothing could be loaded so far. @param {string} sentence */
  unknown(sentence) {
    replace(byId("totals"));
    replace(byId("chart"), h("p", { class: "muted" }, sentence));
  }

  async #choose(days) {
    this.#days = days;
    replace(byId("usage-alert"));
    try {
      const found = await usage(days);
      if (days !== this.#days) return;
      this.#show(found);
      byId("usage-said").textContent = USAGE.said(days, found.totals);
    } catch (failure) {
      if (days === this.#days) replace(byId("usage-alert"), failed(failure.message, () => this.#choose(days)));
    }
  }

  /** @param {Usage} found */
  #show({ days, totals }) {
    this.#chart.show(days);
    replace(
      byId("totals"),
      total(USAGE.used, duration(totals.seconds_used)),
      total(USAGE.sessions, grouped(totals.sessions)),
      total(USAGE.spent, money(totals.spent_cents, totals.currency)),
    );
  }
}

function total(name, figure) {
  return h("div", {}, h("dt", {}, name), h("dd", {}, figure));
}
