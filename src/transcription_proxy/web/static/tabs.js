/** Messages between the tabs of one browser about live captions. A tab with live captions answers, and ends on request. */

const CHANNEL = "captions";
const OPENED = "opened-sessions";
/** Milliseconds that live tabs have to answer, and to finish their last words. */
const [ANSWER, FINISH] = [1000, 4000];
/** This page's id, by which it ignores its own messages. */
const HERE = Math.random();

/**
 * @typedef {{ids: string[], since: string}} Live a live tab: the ids of its sessions, and when it went live
 * `live`: null while nothing runs; `moved`: captions continue in another tab; `end`: the user logs out.
 * @typedef {{live: () => Live | null, moved: () => void, end: () => void}} Page
 */

/** Answer other tabs, and this page's header. @param {Page} page @returns {() => void} call this when captions are over */
export function answerTabs(page) {
  const channel = new BroadcastChannel(CHANNEL);
  channel.onmessage = ({ data }) => {
    if (data.ask === "live" && page.live()) channel.postMessage({ live: page.live() });
    else if (data.ask === "move" && data.from !== HERE) page.moved();
    else if (data.ask === "end") page.end();
  };
  return () => channel.postMessage({ over: true });
}

/** Return this browser's live tabs, as soon as they account for each session that it opened. @returns {Promise<Live[]>} */
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

/** Tell live tabs that captions continue in this one. */
export function moveTabs() {
  const channel = new BroadcastChannel(CHANNEL);
  channel.postMessage({ ask: "move", from: HERE });
  channel.close();
}

/** End the captions of `count` live tabs, and wait for their last words. @param {number} count */
export async function endTabs(count) {
  const channel = new BroadcastChannel(CHANNEL);
  await new Promise((resolve) => {
    setTimeout(resolve, FINISH);
    channel.onmessage = ({ data }) => data.over && --count <= 0 && resolve(undefined);
    channel.postMessage({ ask: "end" });
  });
  channel.close();
}

/** Return the sessions that pages of this browser opened and did not see end, previews included. @returns {string[]} */
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
