/** A table whose rows become small cards on a phone. ARIA roles keep it a table for screen readers. */

import { h } from "./dom.js";

/**
 * @typedef {{name: string, figure?: boolean, label?: boolean, whole?: boolean}} Column
 * `figure`: a number; `label`: shown with its name on a phone; `whole`: shown on a separate line on a phone
 */

/** @param {string} caption @param {Column[]} columns @param {import("./dom.js").Child[][]} rows */
export function table(caption, columns, rows) {
  return h(
    "table",
    { class: "table", role: "table" },
    h("caption", { class: "unseen" }, caption),
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, ...columns.map(head))),
    h(
      "tbody",
      { role: "rowgroup" },
      ...rows.map((row) => h("tr", { role: "row" }, ...row.map((child, index) => cell(columns[index], child)))),
    ),
  );
}

/** @param {Column} column */
function head({ name, figure }) {
  return h("th", { scope: "col", role: "columnheader", class: figure && "figure" }, name);
}

/** @param {Column} column @param {import("./dom.js").Child} child */
function cell({ name, figure, label, whole }, child) {
  const classes = [figure && "figure", whole && "whole"].filter(Boolean).join(" ");
  return h("td", { role: "cell", class: classes || null, "data-label": label && name }, child);
}
