"""What an overview looks like: a table for the README, and a plot."""

from collections.abc import Iterator
from html import escape
from statistics import median
from typing import Any

BAR, GAP, LEFT, RIGHT = 14, 4, 210, 560
NAMESPACE = "http://www.w3.org/2000/svg"
STYLE = (
    "text{fill:#202124;font-family:system-ui,sans-serif}@media(prefers-color-scheme:dark){text{fill:#e8eaed}}"
)
COLOURS = {"floor": "#9aa0a6", "anyworker": "#1a7f64", "conductor-python": "#c2571a"}


def table(data: dict[str, Any]) -> str:
    """Return the figures as Markdown: medians, with the least and the greatest of CPU times."""
    lines = [
        "| CPU time of a task, us | anyworker | floor | conductor-python | times |",
        "|---|---|---|---|---|",
    ]
    for row in data["task"]["rows"]:
        what = f"`{'async def' if row['mode'] == 'async' else 'def'}`, {row['slots']} slots, {row['backend']}"
        lines.append(
            f"| {what} | {_spread(row['anyworker'])} | {_spread(row['floor'])} | {_spread(row['official'])} "
            f"| {row['gain']:.1f} |"
        )
    lines += [
        "",
        "| idle | processes | memory, MB | CPU, % of a core | requests a second |",
        "|---|---|---|---|---|",
    ]
    for row in data["idle"]["rows"]:
        who = "conductor-python" if row["subject"] == "official" else f"anyworker, {row['subject']}"
        lines.append(
            f"| {row['types']} task types, {who} | {row['processes']} | {row['pss_mb']:.0f} "
            f"| {row['cpu_percent']:.2f} | {row['requests_per_second']:.0f} |"
        )
    ours, theirs, running = (median(each["cpu"]) for each in data["import"])
    imports = (
        f"`import anyworker` takes {ours:.0f} ms of CPU, all that runs workers, once they run, "
        f"{running:.0f} ms; conductor-python's task handler {theirs:.0f} ms."
    )
    lines += ["", imports]
    return "\n".join(lines)


def _spread(samples: list[float]) -> str:
    return f"{median(samples):.0f} ({min(samples):.0f}-{max(samples):.0f})"


def plot(data: dict[str, Any]) -> str:
    """Return an SVG: the CPU time of a task, a group of bars for each kind of task."""
    groups = [
        (f"{'async def' if row['mode'] == 'async' else 'def'}, {row['slots']} slots, {row['backend']}", row)
        for row in data["task"]["rows"]
    ]
    largest = max(median(row["official"]) for _, row in groups)
    height = 40 + len(groups) * (3 * BAR + 3 * GAP)
    parts = [
        f'<svg xmlns="{NAMESPACE}" viewBox="0 0 {LEFT + RIGHT + 90} {height}" role="img" font-size="12">',
        "<title>CPU time of a task in microseconds</title>",
        f"<style>{STYLE}</style>",
        *_legend(),
    ]
    for number, (name, row) in enumerate(groups):
        top = 36 + number * (3 * BAR + 3 * GAP)
        parts.append(
            f'<text x="{LEFT - 8}" y="{top + 1.5 * BAR + 4}" text-anchor="end">{escape(name)}</text>'
        )
        parts += _bars(row, top, largest)
    return "\n".join([*parts, "</svg>"]) + "\n"


def _legend() -> Iterator[str]:
    for number, (name, colour) in enumerate(COLOURS.items()):
        x = LEFT + number * 130
        yield f'<rect x="{x}" y="10" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="20">{name}</text>'


def _bars(row: dict[str, Any], top: float, largest: float) -> Iterator[str]:
    for number, (key, colour) in enumerate(
        zip(("floor", "anyworker", "official"), COLOURS.values(), strict=True)
    ):
        value = median(row[key])
        width, y = max(1.0, value / largest * RIGHT), top + number * BAR
        yield f'<rect x="{LEFT}" y="{y}" width="{width:.1f}" height="{BAR - 2}" fill="{colour}"/>'
        yield f'<text x="{LEFT + width + 6:.1f}" y="{y + BAR - 4}">{value:.0f}</text>'
