"""Draws what `scripts/bench behaviour` measured (JSON on standard input) as small bar charts: chart.py FILE.svg"""

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
    document = json.load(sys.stdin)
    rows = document["rows"]
    calls = max(map(int, rows[0]["memory_mb"]))
    charts = {
        f"processor seconds in {document['idle']} s after a call": lambda row: row["idle_seconds"],
        f"resident memory after {calls:,} calls (MB)": lambda row: row["memory_mb"][str(calls)],
        "different results over numbers of threads": lambda row: row["different_results"],
        "two models at once (times one call)": lambda row: row["both_ms"] / row["later_ms"],
        "start to first answer (s)": lambda row: row["start_seconds"],
        "first call (times a later call)": lambda row: row["first_ms"] / row["later_ms"],
        "program and libraries on disk (MB)": lambda row: row["megabytes_on_disk"],
        "slowest call on one processor (times a median)": lambda row: row["one_processor"]["by itself"]["slowest_ms"]
        / row["one_processor"]["one thread"]["median_ms"],
    }
    names = [row["name"] for row in rows][::-1]
    colours = [next((c for name, c in COLOURS.items() if label.startswith(name)), "#94a3b8") for label in names]
    lines = -(-len(charts) // 2)
    figure, axes = pyplot.subplots(lines, 2, figsize=(9, lines * (0.24 * len(rows) + 0.7)), squeeze=False)
    for axis, (title, value) in zip(axes.flat, charts.items()):
        drawn = axis.barh(names, [value(row) for row in rows][::-1], color=colours, height=0.72)
        axis.bar_label(drawn, fmt="%.3g", padding=2, fontsize=8)
        axis.set_title(title, fontsize=9, loc="left")
        axis.spines[["top", "right", "bottom"]].set_visible(False)
        axis.tick_params(bottom=False, labelbottom=False, left=False)
        axis.margins(x=0.16)
    figure.supxlabel(f"{document['network']}, batch 1, on {document['machine']}; shorter is better", fontsize=8)
    figure.tight_layout()
    figure.savefig(sys.argv[1], metadata={"Date": None})


if __name__ == "__main__":
    main()
