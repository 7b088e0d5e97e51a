"""Draws what `scripts/bench behaviour` measured (JSON on standard input) as small bar charts: chart.py FILE.svg"""

import json
import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

from chart_style import draw_bars, pyplot, save  # noqa: E402


def three_digits(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


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
        "program and libraries for CPUs on disk (MB)": lambda row: row["megabytes_on_disk"],
        "slowest call on one processor (times a median)": lambda row: row["one_processor"]["by itself"]["slowest_ms"]
        / row["one_processor"]["one thread"]["median_ms"],
    }
    names = [row["name"] for row in rows][::-1]
    lines = -(-len(charts) // 2)
    figure, axes = pyplot.subplots(lines, 2, figsize=(9, lines * (0.24 * len(rows) + 0.7)), squeeze=False)
    for axis, (title, value) in zip(axes.flat, charts.items()):
        draw_bars(axis, title, names, [value(row) for row in rows][::-1], three_digits)
    save(figure, f"{document['network']}, batch 1, on {document['machine']}; shorter is better", sys.argv[1])


if __name__ == "__main__":
    main()
