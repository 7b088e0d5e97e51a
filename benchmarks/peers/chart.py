"""Draws the rows of `scripts/bench peers` (JSON on standard input) as a bar chart: chart.py FILE.svg"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chart_style import draw_bars, pyplot, save  # noqa: E402


def main():
    rows = json.load(sys.stdin)
    series = {}
    for row in rows:
        bars = series.setdefault((row["title"], row["batch"], row["threads"]), {"tenon": row["ours_ms"]})
        bars[row["peer"]] = row["peer_ms"]
    columns = 2
    lines = -(-len(series) // columns)
    height = sum(0.24 * max(len(bars) for bars in series.values()) + 0.75 for _ in range(lines))
    figure, axes = pyplot.subplots(lines, columns, figsize=(9, height), squeeze=False)
    for axis, ((title, batch, threads), bars) in zip(axes.flat, series.items()):
        names = list(bars)[::-1]
        heading = f"{title}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}"
        draw_bars(axis, heading, names, [bars[name] for name in names], "%.2f")
    for axis in axes.flat[len(series) :]:
        axis.set_visible(False)
    save(figure, "milliseconds an image (median); shorter is better", sys.argv[1])


if __name__ == "__main__":
    main()
