/** The overlay's page: its looks, its secret URL, a test, and a preview that one can speak into. */

import { api } from "./api.js";
import { byId } from "./dom.js";
import "./frame.js";
import { OverlayAddress } from "./overlay-address.js";
import { Looks } from "./overlay-looks.js";
import { Preview } from "./overlay-preview.js";
import { OVERLAY } from "./sentences.js";
import { VoicePreview } from "./overlay-voice.js";

const preview = new Preview(byId("overlay-stage"), byId("overlay-preview"));
const address = new OverlayAddress();
new Looks((style) => {
  preview.restyle(style);
  address.restyle(style);
});
const voice = new VoicePreview(preview, () => address.key());

byId("overlay-test").addEventListener("click", test);

/** Send a test line, and say how many overlays it went to. A preview that listens as they do is none of them. */
async function test() {
  const button = byId("overlay-test");
  if (button.getAttribute("aria-disabled")) return;
  button.setAttribute("aria-disabled", "true");
  try {
    const { watching } = await api("POST", "/account/overlay/test");
    address.say(OVERLAY.tested(Math.max(0, watching - Number(voice.watches))));
  } catch (failure) {
    address.say(failure.message);
  } finally {
    button.removeAttribute("aria-disabled");
  }
}
