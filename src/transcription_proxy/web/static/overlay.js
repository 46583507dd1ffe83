/** The overlay in a program that streams: transparent, and empty while nobody speaks. */

import { byId } from "./dom.js";
import { follow } from "./overlay-feed.js";
import { read } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";
import { OVERLAY } from "./sentences.js";

const overlay = new Overlay(byId("overlay"), read(new URLSearchParams(location.search)));
const key = location.hash.slice(1);

function says(sentence) {
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
    says,
  });
} else {
  says(OVERLAY.incomplete);
}
