/** A list in pages. The URL holds the position: `before` is the API's cursor. The history state holds the cursors of newer
 * pages. A page that was opened by its URL has no such state, so "Newer" leads to the newest page. */

import { api } from "./api.js";
import { byId, failed, h, replace } from "./dom.js";
import { LISTING } from "./sentences.js";

const ROWS = 25;

/**
 * @template T
 * @typedef {{path: string, name: string, moment: (row: T) => string, table: (rows: T[]) => Node, empty: () => Node}} About
 * `path`: the API's path; `name`: the list's name in the answer
 */

/** @template T */
export class Listing {
  #rows = byId("rows");
  #newer = /** @type {HTMLAnchorElement} */ (byId("newer"));
  #older = /** @type {HTMLAnchorElement} */ (byId("older"));
  /** The URL that was requested last. Answers for other URLs come too late and are dropped. */
  #wanted = "";

  /** @param {About<T>} about */
  constructor(about) {
    this.about = about;
    for (const link of [this.#newer, this.#older]) link.addEventListener("click", (event) => this.#turn(event, link));
    addEventListener("popstate", () => this.load());
    this.load();
  }

  async load() {
    const cursor = place();
    const wanted = (this.#wanted = `${cursor}`);
    this.#rows.setAttribute("aria-busy", "true");
    const query = cursor ? `&before=${encodeURIComponent(cursor)}` : "";
    try {
      const answer = await api("GET", `${this.about.path}?limit=${ROWS}${query}`);
      if (wanted === this.#wanted) this.#show(answer[this.about.name], answer.next, cursor);
    } catch (failure) {
      if (wanted !== this.#wanted) return undefined;
      if (cursor && failure.code === "invalid_request") return this.#restart();
      replace(this.#rows, failed(failure.message, () => this.load()));
    }
    return undefined;
  }

  /** @param {T[]} rows @param {string | null} next @param {string} cursor */
  #show(rows, next, cursor) {
    const { moment, table, empty } = this.about;
    replace(this.#rows, rows.length ? table(rows) : cursor ? h("p", { class: "muted" }, LISTING.none) : empty());
    byId("pager").hidden = !cursor && !next;
    this.#point(this.#newer, cursor ? address(trail().at(-1) ?? "") : "");
    this.#point(this.#older, next ? address(next) : "");
    const range = rows.length ? LISTING.range(moment(rows[0]), moment(rows[rows.length - 1])) : "";
    if (byId("range").textContent !== range) byId("range").textContent = range;
  }

  /** Set where a link leads. A link without a URL keeps its space and passes its focus on. */
  #point(link, href) {
    const hadFocus = document.activeElement === link;
    link.classList.toggle("gone", !href);
    if (href) link.href = href;
    else link.removeAttribute("href");
    const other = link === this.#newer ? this.#older : this.#newer;
    if (!href && hadFocus) setTimeout(() => other.focus({ preventScroll: true }));
  }

  #turn(event, link) {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.button || !link.href) return;
    event.preventDefault();
    const next = link === this.#older ? [...trail(), place()] : trail().slice(0, -1);
    history.pushState({ trail: next }, "", link.href);
    if (this.#rows.getBoundingClientRect().top < 0) byId("title").scrollIntoView();
    this.load();
  }

  #restart() {
    history.replaceState(null, "", location.pathname);
    return this.load();
  }
}

/** Return the cursor in the URL, empty for the newest page. */
function place() {
  return new URLSearchParams(location.search).get("before") ?? "";
}

/** Return the cursors of the newer pages, the newest first. @returns {string[]} */
function trail() {
  return history.state?.trail ?? [];
}

function address(cursor) {
  return cursor ? `${location.pathname}?before=${encodeURIComponent(cursor)}` : location.pathname;
}
