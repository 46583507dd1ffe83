/** Work that is repeated while somebody looks at the page. */

const SLOWEST = 60_000;

/**
 * Does `work` now and again `every` ms after each end: not while the tab is hidden, at once when it is shown again, and
 * ever more seldom while it fails. @param {() => Promise<void>} work @param {number} every
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
