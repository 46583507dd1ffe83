/** Keeps the screen on during captions, because a phone that sleeps closes the microphone. */

let wanted = false;
/** @type {WakeLockSentinel | null} */
let lock = null;

/** @param {boolean} on */
export async function stayAwake(on) {
  wanted = on;
  await lock?.release();
  lock = null;
  if (!on || document.hidden) return;
  lock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null; // some browsers lack it, and it fails on a low battery
  if (!wanted) await lock?.release();
}

document.addEventListener("visibilitychange", () => wanted && !document.hidden && stayAwake(true));
