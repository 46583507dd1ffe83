/** The overlay page for streaming programs: transparent, and empty while nobody speaks. */

import { byId } from "./dom.js";
import { follow } from "./overlay-feed.js";
import { read } from "./overlay-style.js";
import { Overlay } from "./overlay-words.js";
import { OVERLAY } from "./sentences.js";

/** Milliseconds for which a problem is shown. It is meant for the streamer, but viewers see it too. */
const SAID_FOR = 10_000;
const overlay = new Overlay(byId("overlay"), read(new URLSearchParams(location.search)));
const key = location.hash.slice(1);

let said = "";
let timer = 0;

/** Show a problem for a while, and not again for each reconnect that fails for the same reason. */
function problem(sentence) {
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
    problem,
  });
} else {
  problem(OVERLAY.incomplete);
}
