/** The page that sets up the overlay: its style, secret URL, a test, and a preview with the user's own voice. */

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

/** Send a test caption, and show how many overlays got it, without this page's preview. */
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
