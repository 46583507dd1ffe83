/** The usage chart: bars for days, axes, a tooltip on hover and focus, and the same data as a table for screen readers. */

import { h, replace, s } from "./dom.js";
import { dayName, dayTick, duration } from "./format.js";
import { CHART } from "./sentences.js";

/** @typedef {import("./balance.js").Day} Day */

const [LEFT, RIGHT, TOP, BOTTOM] = [56, 8, 20, 28];
const MAX_TICKS = 4;
/** Pixels for the label of a day, and the possible numbers of days from one label to the next. */
const NAME_WIDTH = 60;
const NAME_EVERY = [1, 2, 5, 10, 15, 30];
/** The top of the axis without any usage, in seconds. */
const IDLE_TOP = 3600;
/** The possible steps of the axis, in minutes. */
const STEPS = [1, 2, 5, 10, 15, 30, 60, 120, 180, 240, 360];

/** Draws the chart in `place`, and redraws it whenever the width changes. */
export class Chart {
  #place;
  /** @type {Day[]} */
  #days = [];
  #chosen = -1;

  /** @param {HTMLElement} place */
  constructor(place) {
    this.#place = place;
    this.tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
    new ResizeObserver(() => this.#draw()).observe(place);
    place.addEventListener("keydown", (event) => this.#key(event));
    place.addEventListener("pointerleave", () => this.#hide());
  }

  /** @param {Day[]} days oldest first */
  show(days) {
    if (JSON.stringify(days) === JSON.stringify(this.#days)) return;
    if (days.length !== this.#days.length) this.#chosen = days.length - 1;
    this.#days = days;
    this.#draw();
  }

  #draw() {
    const [width, height] = [this.#place.clientWidth, this.#place.clientHeight];
    if (!width || !this.#days.length) return;
    const focused = this.#place.contains(document.activeElement);
    const scale = new Scale(this.#days, width, height);
    this.#hide();
    const viewBox = `0 0 ${width} ${height}`;
    if (this.#days.every((day) => !day.seconds_used && !day.seconds_purchased)) return this.#drawIdle(viewBox, scale);
    const label = CHART.label(this.#days.length);
    const svg = s("svg", { viewBox, role: "group", "aria-label": label }, ...this.#axes(scale), ...this.#bars(scale));
    replace(this.#place, svg, this.tip, table(this.#days));
    if (focused) this.#bar(this.#chosen)?.focus();
    return undefined;
  }

  /** Draw empty axes, and say why they are empty. */
  #drawIdle(viewBox, scale) {
    const axes = s("svg", { viewBox, class: "idle", "aria-hidden": "true" }, ...this.#axes(scale));
    replace(this.#place, axes, h("p", { class: "idle-text muted" }, h("span", {}, CHART.empty(this.#days.length))));
  }

  /** @param {Scale} scale */
  #axes({ width, height, ticks, x, y, slot }) {
    const lines = ticks.map((tick) => [
      s("line", { class: tick ? "grid" : "base", x1: LEFT, x2: width - RIGHT, y1: y(tick), y2: y(tick) }),
      s("text", { x: LEFT - 8, y: y(tick) + 4, "text-anchor": "end" }, tick ? duration(tick) : "0"),
    ]);
    const every = NAME_EVERY.find((count) => count * slot >= NAME_WIDTH) ?? this.#days.length;
    const names = this.#days.map((day, index) => {
      const fromEnd = this.#days.length - 1 - index;
      if (fromEnd % every) return null;
      const name = fromEnd ? dayTick(day.date) : CHART.today;
      const anchor = fromEnd ? "middle" : "end";
      return s(
        "text",
        { x: fromEnd ? x(index) + slot / 2 : width - RIGHT, y: height - 6, "text-anchor": anchor },
        name,
      );
    });
    return [s("g", { "aria-hidden": "true" }, ...lines.flat(), ...names)];
  }

  /** @param {Scale} scale */
  #bars(scale) {
    const { x, y, slot, base } = scale;
    const thick = Math.max(2, Math.min(slot * 0.68, 18));
    return this.#days.map((day, index) => {
      const top = day.seconds_used ? Math.min(y(day.seconds_used), base - 2) : base;
      const middle = x(index) + slot / 2;
      return s(
        "g",
        {
          class: "day",
          role: "img",
          tabindex: index === this.#chosen ? 0 : -1,
          "aria-label": `${dayName(day.date)}: ${facts(day).join(", ")}`,
          onpointerenter: () => this.#point(index, scale),
          onfocus: () => this.#choose(index, scale),
          onblur: () => this.#hide(),
        },
        s("rect", { class: "hit", x: x(index), y: TOP - 8, width: slot, height: base - TOP + 8, rx: 4 }),
        day.seconds_used &&
          s("rect", {
            class: "bar",
            x: middle - thick / 2,
            y: top,
            width: thick,
            height: base - top,
            rx: Math.min(3, thick / 2),
          }),
        day.seconds_purchased && s("circle", { class: "bought", cx: middle, cy: Math.max(top - 9, TOP - 6), r: 5.5 }),
      );
    });
  }

  #point(index, { x, slot, width, y }) {
    const day = this.#days[index];
    replace(this.tip, h("strong", {}, dayName(day.date)), ...facts(day).map((fact) => h("div", {}, fact)));
    this.tip.hidden = false;
    const [wide, high] = [this.tip.offsetWidth, this.tip.offsetHeight];
    this.tip.style.left = `${Math.max(0, Math.min(x(index) + slot / 2 - wide / 2, width - wide))}px`;
    this.tip.style.top = `${Math.max(-high / 2, y(day.seconds_used) - high - 18)}px`;
  }

  #hide() {
    this.tip.hidden = true;
  }

  #bar(index) {
    return this.#place.querySelectorAll(".day")[index];
  }

  #key(event) {
    if (event.key === "Escape") return this.#hide();
    const last = this.#days.length - 1;
    const to = { ArrowLeft: this.#chosen - 1, ArrowRight: this.#chosen + 1, Home: 0, End: last }[event.key];
    if (to === undefined || !this.#bar(to)) return;
    event.preventDefault();
    this.#bar(to).focus();
  }

  /** Make one day focusable, and keep the focus on it, so that the Tab key stops once and not thirty times. */
  #choose(index, scale) {
    this.#bar(this.#chosen)?.setAttribute("tabindex", "-1");
    this.#chosen = index;
    this.#bar(index).setAttribute("tabindex", "0");
    this.#point(index, scale);
  }
}

/** Maps days and seconds to pixels. */
class Scale {
  constructor(days, width, height) {
    const used = Math.max(...days.map((day) => day.seconds_used));
    const most = used ? Math.max(60, used) : IDLE_TOP;
    const step = tickStep(most / 60) * 60;
    const top = Math.ceil(most / step) * step;
    this.width = width;
    this.height = height;
    this.base = height - BOTTOM;
    this.slot = (width - LEFT - RIGHT) / days.length;
    this.ticks = Array.from({ length: top / step + 1 }, (_, index) => index * step);
    this.x = (index) => LEFT + index * this.slot;
    this.y = (seconds) => this.base - ((this.base - TOP) * seconds) / top;
  }
}

/** Return the smallest step in minutes that gives at most MAX_TICKS ticks. @param {number} most minutes */
export function tickStep(most) {
  return STEPS.find((step) => most / step <= MAX_TICKS) ?? Math.ceil(most / MAX_TICKS / 360) * 360;
}

function facts(day) {
  const found = [CHART.used(day.seconds_used)];
  if (day.seconds_purchased) found.push(CHART.bought(day.seconds_purchased));
  if (day.seconds_adjusted) found.push(CHART.adjusted(day.seconds_adjusted));
  return found;
}

/** Return the table in a wrapper that scrolls, because a table is never narrower than its words. */
function table(days) {
  const cell = (seconds) => h("td", {}, seconds ? duration(seconds) : CHART.none);
  const rows = days.map((day) =>
    h(
      "tr",
      {},
      h("th", { scope: "row" }, dayName(day.date)),
      cell(day.seconds_used),
      cell(day.seconds_purchased),
      h("td", {}, day.seconds_adjusted ? CHART.adjusted(day.seconds_adjusted) : CHART.none),
    ),
  );
  const heads = CHART.columns.map((name) => h("th", { scope: "col" }, name));
  const head = h("thead", {}, h("tr", {}, ...heads));
  return h(
    "div",
    { class: "unseen" },
    h("table", {}, h("caption", {}, CHART.caption(days.length)), head, h("tbody", {}, ...rows)),
  );
}
