"""The picture of regret.py: a panel a length of sweep, a row a finder, a dot a task. SVG on a light card."""

import math
import statistics
from xml.sax.saxutils import escape

LABELS, PANEL, GAP, COUNTS, TOP, ROW = 170, 330, 20, 60, 120, 28
TICKS = [0, 0.01, 0.05, 0.1, 0.25, 0.5, 1]
INK, QUIET, FAINT, STRIPE, OWN, OTHER = "#24292f", "#57606a", "#d8dee4", "#f6f8fa", "#c0392b", "#3d6396"


def text(x, y, words, size=13, anchor="start", weight="normal", fill=INK):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{fill}">{escape(words)}</text>')


def place(left, share):
    """Square-root scale: what costs 1 % and what costs everything are both seen."""
    return left + PANEL * math.sqrt(min(max(share, 0), 1))


def panel(left, title, rows, own, seeds):
    """One panel: `rows` is finder -> task -> {share, none}."""
    bottom = TOP + ROW * len(rows)
    parts = [text(left, TOP - 22, title, 14, weight="bold"),
             text(left + PANEL + 34, TOP - 22, "no number", 11, fill=QUIET, anchor="middle")]
    for tick in TICKS:
        x = place(left, tick)
        parts += [f'<line x1="{x:.1f}" y1="{TOP}" x2="{x:.1f}" y2="{bottom}" stroke="{FAINT}"/>',
                  text(x, bottom + 18, f"{100 * tick:g}", 12, anchor="middle")]
    parts += [text(left, bottom + 38, "the best of a grid", 12, fill=QUIET),
              text(left + PANEL, bottom + 38, "% lost: nothing learned", 12, anchor="end", fill=QUIET)]
    for at, (finder, tasks) in enumerate(rows.items()):
        y, colour = TOP + ROW * (at + 0.5), OWN if finder in own else OTHER
        given = [row["share"] for row in tasks.values() if row["share"] is not None]
        for number, (task, row) in enumerate(tasks.items()):
            if row["share"] is not None:
                # Each task keeps its height within every row, so that dots can be followed and told apart.
                dy = (number / max(1, len(tasks) - 1) - 0.5) * ROW * 0.6
                parts.append(dot(place(left, row["share"]), y + dy, colour,
                                 f"{finder}, {task}: {100 * row['share']:.1f} %"))
        if given:
            x = place(left, statistics.median(given))
            parts.append(f'<line x1="{x:.1f}" y1="{y - 11}" x2="{x:.1f}" y2="{y + 11}" stroke="{INK}" '
                         'stroke-width="2.5"/>')
        none = sum(row["none"] for row in tasks.values())
        if none:
            parts.append(text(left + PANEL + 34, y + 4.5, f"{none}/{seeds * len(tasks)}", 12, anchor="middle",
                              fill=QUIET))
    return parts


def dot(x, y, colour, title):
    return (f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3.5" fill="{colour}" fill-opacity="0.65">'
            f'<title>{escape(title)}</title></circle>')


def draw(panels, own, seeds):
    """`panels`: title -> finder -> task -> {share: of the drop that is lost or None, none: seeds without a number}."""
    first = next(iter(panels.values()))
    width = LABELS + len(panels) * (PANEL + COUNTS) + (len(panels) - 1) * GAP + 24
    height = TOP + ROW * len(first) + 58
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
             f'height="{height}" font-family="Helvetica, Arial, sans-serif">',
             f'<rect width="{width}" height="{height}" rx="8" fill="#ffffff"/>',
             text(24, 32, "What following each finder costs", 18, weight="bold"),
             text(24, 54, f"Share of the achievable drop of the loss that is lost after 300 steps of training: "
                          f"a dot a task ({len(next(iter(first.values())))}), the bar their median.", fill=QUIET),
             text(24, 72, "Red: our methods, where the curve is usable. Blue: other tools' schedule, smoothing and "
                          "rule, number for number.", fill=QUIET)]
    for at, finder in enumerate(first):
        y = TOP + ROW * (at + 0.5)
        if at % 2 == 0:
            parts.append(f'<rect x="12" y="{y - ROW / 2}" width="{width - 24}" height="{ROW}" fill="{STRIPE}"/>')
        parts.append(text(LABELS - 14, y + 4.5, finder, anchor="end", weight="bold" if finder == "auto" else "normal",
                          fill=OWN if finder in own else OTHER))
    for number, (title, rows) in enumerate(panels.items()):
        parts += panel(LABELS + number * (PANEL + COUNTS + GAP), title, rows, own, seeds)
    return "\n".join([*parts, "</svg>"]) + "\n"
