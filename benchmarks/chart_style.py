"""How the charts of `scripts/bench` look, for the programs that draw them. Needs matplotlib."""

import pathlib
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("chart.py", may_install=False, matplotlib="matplotlib")

import matplotlib  # noqa: E402

matplotlib.use("svg")
matplotlib.rcParams |= {"svg.hashsalt": "tenon", "svg.fonttype": "none", "font.family": "sans-serif", "font.size": 9}
from matplotlib import pyplot  # noqa: E402  after the choice of the backend

COLOURS = {"tenon": "#c2410c", "ONNX Runtime": "#475569", "OpenVINO": "#64748b", "PyTorch": "#94a3b8"}


def draw_bars(axis, title, names, values, number_format):
    """A bar for each name, in its runtime's colour, with its value; the format is a text or a function."""
    colours = [next((colour for runtime, colour in COLOURS.items() if name.startswith(runtime)), "#94a3b8") for name in names]
    drawn = axis.barh(names, values, color=colours, height=0.72)
    axis.bar_label(drawn, fmt=number_format, padding=2, fontsize=8)
    axis.set_title(title, fontsize=9, loc="left")
    axis.spines[["top", "right", "bottom"]].set_visible(False)
    axis.tick_params(bottom=False, labelbottom=False, left=False)
    axis.margins(x=0.16)


def save(figure, caption, path):
    """The same bytes for the same figures: without a date."""
    figure.supxlabel(caption, fontsize=8)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
