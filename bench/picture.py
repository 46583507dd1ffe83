"""PURE. Draws docs/benchmarks.svg: CPU a frame as a multiple of nginx's, with the range over the rounds."""

from xml.sax.saxutils import escape

from bench.promises import GOAL_RATIO, MAX_RATIO
from bench.report import title
from bench.results import Results, Row

WIDTH = 760
LEFT = 310
RIGHT = 60
TOP = 56
LINE = 40
BAR = 18
BELOW = 40
STYLE = """
  svg { font: 13px system-ui, sans-serif; background: #fff; }
  text { fill: #1f2328; } .title { font-weight: 600; font-size: 15px; } .small { font-size: 11px; fill: #59636e; }
  .bar { fill: #1f6feb; } .range { stroke: #1f2328; stroke-width: 1.5; } .grid { stroke: #d1d9e0; }
  .limit { stroke: #d1242f; stroke-dasharray: 5 3; } .goal { stroke: #1a7f37; stroke-dasharray: 2 3; }
  @media (prefers-color-scheme: dark) {
    svg { background: #0d1117; } text { fill: #f0f6fc; } .small { fill: #9198a1; }
    .range { stroke: #f0f6fc; } .grid { stroke: #3d444d; }
  }
"""


def svg(results: Results) -> str:
    """Return the picture. Rows without a comparison are not in it."""
    rows = [row for row in results.rows.values() if row.ratio("ours")]
    highest = max([MAX_RATIO, *(ratio.high for row in rows if (ratio := row.ratio("ours")))])
    scale = (WIDTH - LEFT - RIGHT) / (highest * 1.1)
    bottom = TOP + LINE * len(rows)
    parts = [_text(16, 24, "CPU a frame, as a multiple of nginx's", "title")]
    parts += [_text(16, 42, "Median over the rounds, with the lowest and the highest; nginx relays untouched", "small")]
    for tick in range(int(highest * 1.1) + 1):
        x = LEFT + tick * scale
        parts += [_line(x, TOP - 4, x, bottom, "grid"), _text(x - 4, bottom + 16, str(tick), "small")]
    for number, row in enumerate(rows):
        parts += _bar(row, TOP + LINE * number, scale)
    for value, name, label in ((MAX_RATIO, "limit", "promise"), (GOAL_RATIO, "goal", "goal")):
        x = LEFT + value * scale
        parts += [_line(x, TOP - 4, x, bottom, name), _text(x - 20, bottom + 30, f"{label} {value}", "small")]
    size = f'width="{WIDTH}" height="{bottom + BELOW}" viewBox="0 0 {WIDTH} {bottom + BELOW}"'
    head = f'<svg xmlns="http://www.w3.org/2000/svg" {size} role="img">'
    return "\n".join([head, f"<style>{STYLE}</style>", *parts, "</svg>", ""])


def _bar(row: Row, top: float, scale: float) -> list[str]:
    ratio = row.ratio("ours")
    assert ratio is not None
    middle = top + LINE / 2
    size = f'width="{ratio.median * scale:.1f}" height="{BAR}"'
    return [
        _text(16, middle + 4, title(row)),
        f'<rect class="bar" x="{LEFT}" y="{middle - BAR / 2}" {size} rx="2"/>',
        _line(LEFT + ratio.low * scale, middle, LEFT + ratio.high * scale, middle, "range"),
        _text(LEFT + ratio.high * scale + 8, middle + 4, f"{ratio.median:.2f}"),
    ]


def _line(x1: float, y1: float, x2: float, y2: float, name: str) -> str:
    return f'<line class="{name}" x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}"/>'


def _text(x: float, y: float, text: str, name: str = "") -> str:
    return f'<text class="{name}" x="{x:.1f}" y="{y:.1f}">{escape(text)}</text>'
