/** The overlay in a program that streams: transparent, and empty while nobody speaks. */

import { byId } from "./dom.js";
import { follow } from "./overlay-feed.js";
import { read } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";
import { OVERLAY } from "./sentences.js";

/** How long a sentence for who sets this up is shown: on a stream, viewers would read it too. In ms. */
const SAID_FOR = 10_000;
const overlay = new Overlay(byId("overlay"), read(new URLSearchParams(location.search)));
const key = location.hash.slice(1);

let said = "";
let timer = 0;

/** Show a sentence for a while. It is not shown again by each try that fails for the same reason. */
function says(sentence) {
  if (sentence === said) return;
  said = sentence;
  clearTimeout(timer);
  show(sentence);
  if (sentence) timer = setTimeout(() => show(""), SAID_FOR);
}

function show(sentence) {
  const place = byId("says");
  place.textContent = sentence;
  place.hidden = !sentence;
}

addEventListener("hashchange", () => location.reload());
if (/^[\w.~-]{1,200}$/.test(key)) {
  follow(key, {
    line: (line) => overlay.line(line),
    clear: (which) => overlay.clear(which),
    missed: () => overlay.missed(),
    gone: () => overlay.empty(),
    says,
  });
} else {
  says(OVERLAY.incomplete);
}
