# SPDX-License-Identifier: MIT
"""Latency against load, as a picture (SVG), of what envelope.py has measured."""

import matplotlib

matplotlib.use("svg")
matplotlib.rcParams["svg.hashsalt"] = "crebito"  # the same figures make the same file

from matplotlib import pyplot, ticker  # noqa: E402

from openloop import RATE  # noqa: E402
from results import LADDER, OPEN  # noqa: E402

COLOURS = {  # told apart by people who see few colours too (Okabe and Ito)
    "no-op": "#888888",
    "embedded, durable": "#0072b2",
    "PostgreSQL, durable": "#d55e00",
    "PostgreSQL, contest": "#e69f00",
}
SIZE_INCHES = (10, 4.8)
LEGEND = {"no-op": "no-op API, same NGINX: the limit"}


def panel(axes, results, figure, title):
    for name, colour in COLOURS.items():
        points = [(results.middle(name, load, "per_second"), results.middle(name, load, figure) / 1000)
                  for load in (OPEN, *LADDER) if name in results.rows and results.runs(name, load)]
        if points:
            axes.plot(*zip(*points), color=colour, marker="o", markersize=5, label=LEGEND.get(name, name),
                      linestyle="--" if name == "no-op" else "-")
    axes.axvline(RATE, color="black", linewidth=0.8, linestyle=":")
    axes.set(title=title, xlabel="requests answered a second", xscale="log", yscale="log")
    axes.grid(True, which="major", linewidth=0.4)
    axes.set_xticks([RATE, 1000, 2000, 4000, 8000])
    axes.xaxis.set_minor_locator(ticker.NullLocator())
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(ticker.FuncFormatter(lambda value, _: f"{value:,g}"))


def draw(results, about, file):
    figure, (left, right) = pyplot.subplots(1, 2, figsize=SIZE_INCHES, sharex=True, sharey=True)
    panel(left, results, "p50_us", "median")
    panel(right, results, "p99_us", "99th percentile")
    left.set_ylabel("latency, ms")
    lines, names = left.get_legend_handles_labels()
    if lines:
        figure.legend(lines, names, loc="lower center", ncol=len(lines), frameon=False, fontsize=9)
    figure.suptitle("Latency against load, all of it in 1.5 CPU and 550 MB", fontsize=12)
    figure.text(0.5, 0.1, f"open loop; dotted: the challenge's {RATE} requests a second; {about['cores']} cores of"
                f" {about['cpu']}, {about['date'][:10]}", ha="center", fontsize=8)
    figure.tight_layout(rect=(0, 0.12, 1, 1))
    figure.savefig(file, metadata={"Date": None})
    pyplot.close(figure)
