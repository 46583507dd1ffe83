/** A table whose rows become small cards on a phone. The roles keep it a table there, for who hears it. */

import { h } from "./dom.js";

/**
 * @typedef {{name: string, figure?: boolean, label?: boolean, whole?: boolean}} Column
 * `figure`: a number; `label`: its name stands before it on a phone; `whole`: it takes a line of its own there
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
