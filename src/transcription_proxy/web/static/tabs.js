/** What the tabs of one browser tell each other about live captions: a page that is live answers, and ends when told to. */

const CHANNEL = "captions";
const OPENED = "opened-sessions";
/** How long live tabs have to answer, and to finish their last words. In ms. */
const [ANSWER, FINISH] = [1000, 4000];
/** This page, which its own channels hear too. */
const HERE = Math.random();

/**
 * @typedef {{ids: string[], since: string}} Live a live tab: the ids of its sessions, and since when it has been live
 * `live`: null while nothing runs; `moved`: captions go on in another tab; `end`: somebody logs out.
 * @typedef {{live: () => Live | null, moved: () => void, end: () => void}} Page
 */

/** Answer other tabs, and this page's own header. @param {Page} page @returns {() => void} to be called when captions are over */
export function answerTabs(page) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }) => {
    if (data.ask === "live" && page.live()) channel.postMessage({ live: page.live() });
    else if (data.ask === "move" && data.from !== HERE) page.moved();
    else if (data.ask === "end") page.end();
  };
  return () => channel.postMessage({ over: true });
}

/** Return the live tabs of this browser, as soon as each session that it opened is in one. @returns {Promise<Live[]>} */
export async function liveTabs() {
  const opened = openedHere();
  if (!opened.length) return [];
  /** @type {Live[]} */
  const found = [];
  const channel = new BroadcastChannel(CHANNEL);
  await new Promise((resolve) => {
    setTimeout(resolve, ANSWER);
    channel.onmessage = ({ data }) => {
      if (data.live) found.push(data.live);
      if (opened.every((id) => found.some(({ ids }) => ids.includes(id)))) resolve(undefined);
    };
    channel.postMessage({ ask: "live" });
  });
  channel.close();
  return found;
}

/** Tell live tabs that captions go on in this one. */
export function moveTabs() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage({ ask: "move", from: HERE });
  channel.close();
}

/** End the captions of so many live tabs, and wait for their last words. @param {number} count */
export async function endTabs(count) {
  const channel = new BroadcastChannel(CHANNEL);
  await new Promise((resolve) => {
    setTimeout(resolve, FINISH);
    channel.onmessage = ({ data }) => data.over && --count <= 0 && resolve(undefined);
    channel.postMessage({ ask: "end" });
  });
  channel.close();
}

/** The sessions that pages of this browser opened and did not see end: captions, and previews of the overlay. @returns {string[]} */
export function openedHere() {
  try {
    return JSON.parse(localStorage.getItem(OPENED) ?? "[]");
  } catch {
    return [];
  }
}

/** @param {string} id */
export function rememberOpened(id) {
  localStorage.setItem(OPENED, JSON.stringify([...openedHere().filter((each) => each !== id), id]));
}

/** @param {string[]} ids */
export function forgetOpened(ids) {
  localStorage.setItem(OPENED, JSON.stringify(openedHere().filter((each) => !ids.includes(each))));
}
