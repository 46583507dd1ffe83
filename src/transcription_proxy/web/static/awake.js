/** The screen stays on while somebody reads along: a phone that falls asleep takes the microphone with it. */

let wanted = false;
/** @type {WakeLockSentinel | null} */
let lock = null;

/** @param {boolean} on */
export async function stayAwake(on) {
  wanted = on;
  await lock?.release();
  lock = null;
  if (!on || document.hidden) return;
  lock = (await navigator.wakeLock?.request("screen").catch(() => null)) ?? null; // not everywhere, nor on a low battery
  if (!wanted) await lock?.release();
}

document.addEventListener("visibilitychange", () => wanted && !document.hidden && stayAwake(true));
