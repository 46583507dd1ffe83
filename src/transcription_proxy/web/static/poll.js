/** Repeats work while the page is visible. */

const SLOWEST = 60_000;

/**
 * Run `work` now, and again `every` ms after each end. It pauses while the tab is hidden, runs at once when the tab is
 * shown again, and backs off while it fails. @param {() => Promise<void>} work @param {number} every
 */
export function poll(work, every) {
  let timer = 0;
  let running = false;
  let pause = every;
  async function turn() {
    clearTimeout(timer);
    if (running || document.hidden) return;
    running = true;
    try {
      await work();
      pause = every;
    } catch {
      pause = Math.min(pause * 2, SLOWEST);
    } finally {
      running = false;
    }
    timer = setTimeout(turn, pause);
  }
  document.addEventListener("visibilitychange", turn);
  addEventListener("online", turn);
  return turn;
}
