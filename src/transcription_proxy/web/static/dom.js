/** Creates and finds elements without HTML strings, so that text is always shown as text. */

/**
 * @typedef {Node | string | number | null | undefined | false} Child
 * @typedef {Record<string, string | number | boolean | null | undefined | ((event: any) => void)>} Attributes
 */

import { COMMON } from "./sentences.js";

const SVG = "http://www.w3.org/2000/svg";

/**
 * Return a new element. Functions such as `onclick` become listeners; null and false leave an attribute out.
 * @param {string} tag @param {Attributes} [attributes] @param {...Child} children
 */
export function h(tag, attributes = {}, ...children) {
  return fill(document.createElement(tag), attributes, children);
}

/** Return a new SVG element. @param {string} tag @param {Attributes} [attributes] @param {...Child} children */
export function s(tag, attributes = {}, ...children) {
  return fill(document.createElementNS(SVG, tag), attributes, children);
}

/** Return the element with this id, which the page must have. @param {string} id */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`The page has no #${id}`);
  return found;
}

/** Return the first match in `parent`, which must have one. @param {ParentNode} parent @param {string} selector */
export function find(parent, selector) {
  /** @type {HTMLElement | null} */
  const found = parent.querySelector(selector);
  if (!found) throw new Error(`The page has no ${selector}`);
  return found;
}

/** Replace all children of an element. @param {Element} parent @param {...Child} children */
export function replace(parent, ...children) {
  parent.replaceChildren(...kept(children));
  parent.removeAttribute("aria-busy");
}

/** Return a box with a message. @param {"info" | "warn" | "bad"} kind @param {...Child} children */
export function notice(kind, ...children) {
  return h("div", { class: `notice ${kind}` }, ...children);
}

/** Return a bar as wide as the page: a text, and an action at its end.
 * @param {"" | "warn" | "bad"} kind @param {Node} text @param {Child} [action] */
export function bar(kind, text, action) {
  return h("div", { class: `bar ${kind}` }, text, action);
}

/** Return an error with a button that retries. @param {string} sentence @param {() => void} again */
export function failed(sentence, again) {
  const button = h("button", { type: "button", class: "link", onclick: again }, COMMON.tryAgain);
  return notice("bad", h("p", {}, sentence), h("p", {}, button));
}

function fill(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "function") element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== undefined && value !== false) element.setAttribute(name, String(value));
  }
  element.append(...kept(children));
  return element;
}

function kept(children) {
  return children.filter((child) => child !== null && child !== undefined && child !== false).map(asNode);
}

function asNode(child) {
  return child instanceof Node ? child : String(child);
}
