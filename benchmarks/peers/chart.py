"""Draws the rows of `scripts/bench peers` (JSON on standard input) as a bar chart: chart.py FILE.svg"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("chart.py", may_install=False, matplotlib="matplotlib")

import matplotlib  # noqa: E402

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
from matplotlib import pyplot  # noqa: E402  after the choice of the backend

COLOURS = {"tenon": "#c2410c", "ONNX Runtime": "#475569", "OpenVINO": "#64748b", "PyTorch": "#94a3b8"}


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
        colours = [next(c for name, c in COLOURS.items() if label.startswith(name)) for label in names]
        drawn = axis.barh(names, [bars[name] for name in names], color=colours, height=0.72)
        axis.bar_label(drawn, fmt="%.2f", padding=2, fontsize=8)
        axis.set_title(f"{title}, batch {batch}, {threads} thread{'s' if threads > 1 else ''}", fontsize=9, loc="left")
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(bottom=False, labelbottom=False, left=False)
        axis.margins(x=0.14)
    for axis in axes.flat[len(series) :]:
        axis.set_visible(False)
    figure.supxlabel("milliseconds an image (median); shorter is better", fontsize=8)
    figure.tight_layout()
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
