/** The overlay's section of the account: its secret address, and how it looks, which becomes part of the address. */

import { api } from "./api.js";
import { byId, failed, h, replace } from "./dom.js";
import { OPTIONS, read, write } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";

const KEY = "overlay-style";
const HIDDEN = "••••••••••••";
/** Pixels of the page in OBS, as its preview is drawn. */
const WIDE = 1920;
const SAMPLE =
  "Welcome back, everybody! Let us look at it once more, from the start and in slow motion: that was a damn close game.";
const percent = (number) => `${number} %`;
const pixels = (number) => `${number} px`;
/** @type {[name: string, label: string, shown?: any][]} the words for each choice, or how a number is shown */
const CONTROLS = [
  ["font", "Font", { sans: "Plain", serif: "Serif", mono: "Typewriter", condensed: "Narrow", rounded: "Rounded", casual: "Handwriting" }],
  ["size", "Size", pixels],
  ["color", "Text colour"],
  ["opacity", "Text opacity", percent],
  ["background", "Background colour"],
  ["background_opacity", "Background opacity", percent],
  ["position", "Position", {
    "bottom": "Bottom", "bottom-left": "Bottom left", "bottom-right": "Bottom right",
    "top": "Top", "top-left": "Top left", "top-right": "Top right", "middle": "Middle",
  }],
  ["align", "Alignment", { left: "Left", center: "Centred", right: "Right" }],
  ["width", "Width", percent],
  ["lines", "Lines", String],
  ["outline", "Outline", (number) => (number ? pixels(number) : "none")],
  ["fade", "Fade after silence", (number) => (number ? `${number} s` : "never")],
  ["upper", "Capital letters"],
  ["mask", "Mask swear words"],
];
/** A slider that went further would be of no use; the address may. */
const MOST = { fade: 60 };

const address = /** @type {HTMLInputElement} */ (byId("overlay-url"));
const reveal = byId("overlay-show");
const looks = byId("overlay-looks");
let style = read(new URLSearchParams(localStorage.getItem(KEY) ?? ""));
/** @type {URL | null} */
let known = null;
let shown = false;

for (const [name, label, words] of CONTROLS) looks.append(control(name, label, words));
looks.addEventListener("input", change);
byId("overlay-form").addEventListener("submit", (event) => event.preventDefault());
byId("overlay-usual").addEventListener("click", () => set(read(new URLSearchParams())));
reveal.addEventListener("click", toggle);
byId("overlay-copy").addEventListener("click", copy);
byId("overlay-renew").addEventListener("click", () => ask(true));
byId("overlay-keep").addEventListener("click", () => ask(false));
byId("overlay-renewed").addEventListener("click", renew);
new ResizeObserver(([{ contentRect }]) => {
  byId("overlay-preview").style.setProperty("--scale", String(contentRect.width / WIDE));
}).observe(byId("overlay-stage"));
set(style);
load();

/** A field for one of OPTIONS. */
function control(name, label, words) {
  const { choices, least, most, usual } = OPTIONS[name];
  const id = `overlay-${name}`;
  if (typeof usual === "boolean") {
    return h("label", { class: "check" }, h("input", { type: "checkbox", id, name }), h("span", {}, label));
  }
  if (choices) {
    const entries = choices.map((choice) => h("option", { value: choice }, words[choice]));
    return h("div", { class: "field" }, h("label", { for: id }, label), h("select", { id, name }, ...entries));
  }
  const kind = least === undefined ? { type: "color" } : { type: "range", min: least, max: MOST[name] ?? most };
  const figure = words && h("output", { for: id, "aria-hidden": "true" }, "");
  return h("div", { class: "field" }, h("label", { for: id }, label, figure), h("input", { ...kind, id, name }));
}

function change() {
  const given = CONTROLS.map(([name]) => {
    const field = /** @type {HTMLInputElement} */ (byId(`overlay-${name}`));
    return [name, field.type === "checkbox" ? String(Number(field.checked)) : field.value.replace("#", "")];
  });
  set(read(new URLSearchParams(given)));
}

/** Shows these looks in the fields, in the preview and in the address, and remembers them. */
function set(chosen) {
  style = chosen;
  localStorage.setItem(KEY, String(write(style)));
  for (const [name, , words] of CONTROLS) {
    const field = /** @type {HTMLInputElement} */ (byId(`overlay-${name}`));
    if (field.type === "checkbox") field.checked = style[name];
    else field.value = field.type === "color" ? `#${style[name]}` : String(style[name]);
    const figure = field.parentElement.querySelector("output");
    if (figure) figure.textContent = words(style[name]);
    if (field.type === "range") field.setAttribute("aria-valuetext", words(style[name]));
  }
  replace(byId("overlay-preview"));
  const preview = new Overlay(byId("overlay-preview"), { ...style, fade: 0 });
  preview.line({ session: "sample", text: SAMPLE, is_final: true });
  showAddress();
}

async function load(method = "GET") {
  replace(byId("overlay-alert"));
  try {
    known = new URL((await api(method, "/account/overlay")).url);
  } catch (failure) {
    replace(byId("overlay-alert"), failed(failure.message, () => load(method)));
    return false;
  }
  showAddress();
  return true;
}

/** What goes into OBS. */
function full() {
  const url = new URL(known);
  url.search = String(write(style));
  return url.href;
}

function showAddress() {
  if (!known) return;
  address.value = shown ? full() : full().replace(known.hash, `#${HIDDEN}`);
  for (const id of ["overlay-show", "overlay-copy", "overlay-renew"]) {
    /** @type {HTMLButtonElement} */ (byId(id)).disabled = false;
  }
}

function toggle() {
  shown = !shown;
  reveal.textContent = shown ? "Hide" : "Show";
  reveal.setAttribute("aria-pressed", String(shown));
  showAddress();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(full());
    say("Copied. Paste it into a browser source of OBS.");
  } catch {
    if (!shown) toggle();
    address.select();
    say("The browser does not let this page copy: it is selected, copy it by hand.");
  }
}

function ask(asking) {
  byId("overlay-sure").hidden = !asking;
  say("");
  byId(asking ? "overlay-keep" : "overlay-renew").focus();
}

async function renew() {
  ask(false);
  if (await load("POST")) say("The address is new: paste it into OBS.");
}

function say(text) {
  byId("overlay-said").textContent = text;
}
