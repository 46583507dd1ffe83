/* Runs before the page is drawn, so that nobody sees the wrong header or a page that needs a login.
   This is a plain script, because modules run too late. The keys are those of session.js, form.js and captions-steps.js. */
(() => {
  /** Whether the first steps on /captions are done or hidden. captions-steps.js stores them. */
  function areOver() {
    try {
      const { email } = JSON.parse(localStorage.getItem("session") ?? "null");
      const { hidden, microphone, words, overlay } = JSON.parse(localStorage.getItem("get-started") ?? "null")[email];
      return hidden || (microphone && words && overlay);
    } catch {
      return false;
    }
  }
  const root = document.documentElement;
  const signedIn = localStorage.getItem("session") !== null;
  root.dataset.session = signedIn ? "in" : "out";
  if (root.dataset.for === "members" && !signedIn) {
    sessionStorage.setItem("return_to", location.pathname + location.search + location.hash);
    sessionStorage.setItem("notice", sessionStorage.getItem("notice") ?? root.dataset.notice ?? "");
    location.replace("/");
  }
  root.dataset.steps = areOver() ? "over" : "open";
  // A click on "Log out" before its module has loaded waits for the module.
  addEventListener("click", (event) => {
    /** @type {HTMLElement | null} */
    const button = event.target instanceof Element ? event.target.closest("#log-out") : null;
    if (button) button.dataset.clicked = "";
  });
  // A form that is submitted before its module has loaded waits for the module; the browser must not submit it.
  addEventListener("submit", (event) => {
    event.preventDefault();
    /** @type {HTMLFormElement} */ (event.target).dataset.sent = "";
  });
})();
