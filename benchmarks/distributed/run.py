"""Measures what several processes cost on this machine, and predicts from it what they would cost on many.

usage: scripts/bench distributed [--batch N] [--steps N] [--rounds N] [--mpiexec PROGRAM]

1. A training iteration of ResNet50V2 with 2 shards: one process of 2 threads, and 2 processes of 1 thread, in turns; fails
   when the processes take more than 1.05 of the threads' time.
2. What sending gradients while others are computed could gain at best: computing and the sum at the same time.
3. The sum of gradients over 2 and 4 processes by its size, and from these the cost of a message and of a byte.
4. Predicted, not measured: the same sum on 2 to 512 machines.
"""
import argparse
import json
import math
import os
import statistics
import subprocess

BOUND = 1.05
MESSAGE, EXCHANGE = 256 << 10, 16 << 20  # bytes to a process, and to all, at once: include/tenon/distributed/tree_sum.hpp
# More processes than cores, as root in a container; what doesn't apply is ignored.
ENVIRONMENT = {
    "OMPI_ALLOW_RUN_AS_ROOT": "1",
    "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1",
    "OMPI_MCA_rmaps_base_oversubscribe": "1",
    "OMPI_MCA_hwloc_base_binding_policy": "none",
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
    "PRTE_MCA_hwloc_default_binding_policy": "none",
}
# Assumed of networks: seconds from a process to another one on another machine, and bytes per second that arrive.
NETWORKS = {"10 Gbit/s": (30e-6, 0.9 * 1.25e9), "100 Gbit/s": (5e-6, 0.9 * 12.5e9)}
MACHINES = (2, 8, 32, 128, 512)


def segments(size, processes):
    return math.ceil(size / min(EXCHANGE, processes * MESSAGE))


def fit(rows, processes):
    """Seconds per message and per byte: least squares of the relative errors of t = messages * a + bytes * b."""
    sums = [0.0] * 5
    for row in rows:
        messages = 2 * (processes - 1) * segments(row["bytes"], processes)
        x, y, t = messages / row["seconds"], row["bytes"] / row["seconds"], 1.0
        for i, value in enumerate((x * x, x * y, y * y, x * t, y * t)):
            sums[i] += value
    xx, xy, yy, xt, yt = sums
    determinant = xx * yy - xy * xy
    return (xt * yy - yt * xy) / determinant, (xx * yt - xy * xt) / determinant


def predicted(size, machines, latency, bandwidth, per_byte):
    """Seconds to sum `size` bytes: messages, bytes over the line, and what the machine does with each byte."""
    return 2 * (machines - 1) * (segments(size, machines) * latency + size / (machines * bandwidth)) + size * per_byte


def main(arguments, build):
    parser = argparse.ArgumentParser(prog="scripts/bench distributed")
    parser.add_argument("--batch", type=int, default=8, help="images of an iteration")
    parser.add_argument("--steps", type=int, default=4, help="iterations a round")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--mpiexec", default="mpiexec", help="what starts processes of the MPI that tenon is built with")
    options = parser.parse_args(arguments)
    program = build("native")

    def run(processes, *command):
        start = [options.mpiexec, "-n", str(processes)] if processes > 1 else []
        done = subprocess.run([*start, program, *map(str, command)], check=True, capture_output=True, text=True,
                              env={**os.environ, **ENVIRONMENT})
        return [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]

    kinds = {"1 process of 2 threads": (1, 2, 2), "2 processes of 1 thread": (2, 1, 2), "1 process of 2 threads, 1 shard": (1, 2, 1)}
    seconds = {kind: [] for kind in kinds}
    exchanges = []
    for _ in range(options.rounds):
        for kind, (processes, threads, shards) in kinds.items():
            row, = run(processes, "step", options.batch, threads, shards, options.steps)
            seconds[kind].append(statistics.median(row["seconds"]))
            if processes > 1:
                exchanges.append(row["exchange_seconds"])
    size = 4 * row["parameters"]
    print(f"A training iteration of {options.batch} images, {options.rounds} rounds in turns:\n")
    print("| run | ms, median | least | most |\n| --- | ---: | ---: | ---: |")
    for kind, found in seconds.items():
        print(f"| {kind} | {1e3 * statistics.median(found):.0f} | {1e3 * min(found):.0f} | {1e3 * max(found):.0f} |")
    threads, processes, _ = kinds
    ratio = statistics.median(b / a for a, b in zip(seconds[threads], seconds[processes]))
    part = statistics.median(exchanges) / statistics.median(seconds[processes])
    print(f"\n2 processes take {ratio:.3f} of the time of 2 threads (bound {BOUND}); {100 * part:.1f} % of an iteration is the sum "
          "over the processes, waiting included: overlapping it with computing can save no more than that.")

    blocking, overlapped = [], []
    for _ in range(options.rounds):
        row, = run(2, "overlap", options.batch, 1, options.steps)
        blocking.append(row["blocking"])
        overlapped.append(row["overlapped"])
    gain = statistics.median(b / a for a, b in zip(blocking, overlapped))
    print(f"Computing and then the sum: {1e3 * statistics.median(blocking):.0f} ms; both at the same time, as no gradient allows: "
          f"{1e3 * statistics.median(overlapped):.0f} ms, {gain:.3f} of it.")

    print("\n| bytes | ms, 2 processes | 4 processes |\n| ---: | ---: | ---: |")
    rows = {processes: run(processes, "exchange", size) for processes in (2, 4)}
    for two, four in zip(rows[2], rows[4]):
        print(f"| {two['bytes']:,} | {1e3 * two['seconds']:.3f} | {1e3 * four['seconds']:.3f} |")
    latency, per_byte = fit(rows[2], 2)
    print(f"\n2 processes: {1e6 * latency:.1f} us a message and {1e9 * per_byte:.3f} ns a byte ({1e-9 / per_byte:.1f} GB/s) on this machine.")

    print(f"\nPredicted, not measured: ms to sum {size / 1e6:.0f} MB on n machines: 2 (n - 1) (s a + S / (n B)) + S b, with s segments of "
          f"256 KiB per machine, 16 MiB at most, B = 90 % of the line, a = 30 us at 10 Gbit/s and 5 us at 100 Gbit/s (assumed), and b as measured here; in brackets the "
          f"share of an iteration that computes {1e3 * statistics.median(seconds[processes]):.0f} ms, as here.\n")
    print("| machines | " + " | ".join(map(str, MACHINES)) + " |\n| --- |" + " ---: |" * len(MACHINES))
    computing = statistics.median(seconds[processes]) * (1 - part)
    for network, (wire, bandwidth) in NETWORKS.items():
        cells = []
        for machines in MACHINES:
            time = predicted(size, machines, wire, bandwidth, max(per_byte, 0))
            cells.append(f"{1e3 * time:.0f} ({100 * time / (time + computing):.1f} %)")
        print(f"| {network} | " + " | ".join(cells) + " |")
    return 1 if ratio > BOUND else 0
