/** The overlay's section of the account: its secret address, and how it looks, which becomes part of the address. */

import { api } from "./api.js";
import { byId, failed, replace } from "./dom.js";
import { OPTIONS, read, write } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";
import { COMMON, OVERLAY } from "./sentences.js";

const KEY = "overlay-style";
const HIDDEN = "••••••••••••";
/** Pixels of the page in OBS, as its preview is drawn. */
const WIDE = 1920;
/** How numbers are shown beside their sliders. A slider may end before the address does, where more is of little use. */
const FIGURES = {
  size: OVERLAY.pixels,
  opacity: OVERLAY.percent,
  background_opacity: OVERLAY.percent,
  width: OVERLAY.percent,
  lines: String,
  outline: (number) => (number ? OVERLAY.pixels(number) : OVERLAY.noOutline),
  fade: OVERLAY.fade,
};

const address = /** @type {HTMLInputElement} */ (byId("overlay-url"));
const reveal = byId("overlay-show");
let style = read(new URLSearchParams(localStorage.getItem(KEY) ?? ""));
/** @type {URL | null} */
let known = null;
let shown = false;

byId("overlay-looks").addEventListener("input", change);
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

function field(name) {
  return /** @type {HTMLInputElement} */ (byId(`overlay-${name}`));
}

function change() {
  const given = Object.keys(OPTIONS).map((name) => {
    const { type, checked, value } = field(name);
    return [name, type === "checkbox" ? String(Number(checked)) : value.replace("#", "")];
  });
  set(read(new URLSearchParams(given)));
}

/** Shows these looks in the fields, in the preview and in the address, and remembers them. */
function set(chosen) {
  style = chosen;
  localStorage.setItem(KEY, String(write(style)));
  for (const name of Object.keys(OPTIONS)) {
    const place = field(name);
    if (place.type === "checkbox") place.checked = style[name];
    else place.value = place.type === "color" ? `#${style[name]}` : String(style[name]);
    if (name in FIGURES) showFigure(place, FIGURES[name](style[name]));
  }
  replace(byId("overlay-preview"));
  const preview = new Overlay(byId("overlay-preview"), { ...style, fade: 0 });
  preview.line({ session: "sample", text: OVERLAY.sample, is_final: true });
  showAddress();
}

function showFigure(slider, text) {
  slider.parentElement.querySelector("output").textContent = text;
  slider.setAttribute("aria-valuetext", text);
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
  reveal.textContent = shown ? COMMON.hide : COMMON.show;
  reveal.setAttribute("aria-pressed", String(shown));
  showAddress();
}

async function copy() {
  try {
    await navigator.clipboard.writeText(full());
    say(OVERLAY.copied);
  } catch {
    if (!shown) toggle();
    address.select();
    say(OVERLAY.noCopy);
  }
}

function ask(asking) {
  byId("overlay-sure").hidden = !asking;
  say("");
  byId(asking ? "overlay-keep" : "overlay-renew").focus();
}

async function renew() {
  ask(false);
  if (await load("POST")) say(OVERLAY.regenerated);
}

function say(text) {
  byId("overlay-said").textContent = text;
}
