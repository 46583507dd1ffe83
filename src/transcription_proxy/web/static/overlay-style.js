/** The overlay's style, read strictly from the parameters of its URL. Invalid parameters are ignored, and only numbers and
 * listed values ever reach CSS. */

/**
 * @typedef {{font: string, size: number, color: string, opacity: number, background: string, background_opacity: number,
 *   lines: number, width: number, position: string, align: string, upper: boolean, outline: number, fade: number,
 *   mask: boolean}} Style `size`, `outline`: pixels; `width`: percent of the page; `fade`: seconds of silence, 0: never
 */

const FONTS = {
  sans: '"Segoe UI", Roboto, "Helvetica Neue", "Liberation Sans", Arial, sans-serif',
  serif: 'Georgia, "Times New Roman", "Liberation Serif", serif',
  mono: 'Consolas, Menlo, "Liberation Mono", monospace',
  condensed: '"Arial Narrow", "Roboto Condensed", "Liberation Sans Narrow", Impact, sans-serif',
  rounded: '"Arial Rounded MT Bold", "SF Pro Rounded", Nunito, Quicksand, "Trebuchet MS", sans-serif',
  casual: '"Comic Sans MS", "Comic Neue", "Chalkboard SE", cursive',
};
/** The directions in which an outline repeats the letters. */
const AROUND = [[1, 0], [-1, 0], [0, 1], [0, -1], [0.7, 0.7], [0.7, -0.7], [-0.7, 0.7], [-0.7, -0.7]];

/** The allowed values of each parameter, and its default. */
export const OPTIONS = {
  font: choice("sans", Object.keys(FONTS)),
  size: whole(48, 12, 200),
  color: colour("ffffff"),
  opacity: whole(100, 10, 100),
  background: colour("000000"),
  background_opacity: whole(75, 0, 100),
  lines: whole(2, 1, 10),
  width: whole(80, 10, 100),
  position: choice("bottom", ["bottom", "bottom-left", "bottom-right", "top", "top-left", "top-right", "middle"]),
  align: choice("left", ["left", "center", "right"]),
  upper: flag(),
  outline: whole(0, 0, 10),
  fade: whole(8, 0, 600),
  mask: flag(),
};

/** @param {URLSearchParams} parameters @returns {Style} */
export function read(parameters) {
  const entries = Object.entries(OPTIONS).map(([name, { usual, parse }]) => {
    const given = parameters.get(name);
    return [name, (given === null ? undefined : parse(given)) ?? usual];
  });
  return /** @type {any} */ (Object.fromEntries(entries));
}

/** Return the URL's parameters: the values that differ from the defaults. @param {Style} style */
export function write(style) {
  const told = Object.entries(OPTIONS).filter(([name, { usual }]) => style[name] !== usual);
  return new URLSearchParams(told.map(([name]) => [name, typeof style[name] === "boolean" ? "1" : String(style[name])]));
}

/** @param {HTMLElement} overlay @param {Style} style */
export function apply(overlay, style) {
  const properties = {
    font: FONTS[style.font],
    size: `${style.size}px`,
    color: rgba(style.color, style.opacity),
    background: rgba(style.background, style.background_opacity),
    lines: String(style.lines),
    width: `${style.width}%`,
    align: style.align,
    case: style.upper ? "uppercase" : "none",
    outline: outlined(style),
  };
  for (const [name, value] of Object.entries(properties)) overlay.style.setProperty(`--overlay-${name}`, value);
  overlay.dataset.position = style.position;
}

/** Return the outline's color: black, or white around dark letters. */
function outlined({ color, outline }) {
  if (!outline) return "none";
  const [red, green, blue] = parts(color);
  const light = 0.299 * red + 0.587 * green + 0.114 * blue > 110;
  return AROUND.map(([x, y]) => `${x * outline}px ${y * outline}px 0 ${light ? "#000" : "#fff"}`).join(", ");
}

function rgba(hex, percent) {
  return `rgba(${parts(hex).join(", ")}, ${percent / 100})`;
}

function parts(hex) {
  return [0, 2, 4].map((at) => parseInt(hex.slice(at, at + 2), 16));
}

function whole(usual, least, most) {
  return {
    usual,
    parse(text) {
      const number = /^\d{1,3}$/.test(text) ? Number(text) : NaN;
      return number >= least && number <= most ? number : undefined;
    },
  };
}

function choice(usual, choices) {
  return { usual, parse: (text) => (choices.includes(text) ? text : undefined) };
}

function colour(usual) {
  return { usual, parse: (text) => (/^[0-9a-f]{6}$/i.test(text) ? text.toLowerCase() : undefined) };
}

function flag() {
  return { usual: false, parse: (text) => (text === "1" ? true : text === "0" ? false : undefined) };
}
