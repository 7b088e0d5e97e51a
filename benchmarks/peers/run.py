"""`scripts/bench peers`: networks on tenon and on the runtimes people use, timed alternately on the same cores.

Every runtime is a process of its own (tenon.cpp, peer.py) that has loaded the same weights and answered the same batch;
its results must agree with tenon's before anything is timed. A round asks one after the other for a few calls, so that all
see the same minutes of a machine whose speed drifts; the peak of fused multiply-adds is measured between rounds, and a
series in which it moved by more than 5 % is repeated.
"""

import argparse
import contextlib
import json
import os
import pathlib
import statistics
import subprocess
import sys
import time

from runner import SKIPPED, BenchError, Runner, python_of_environment, threads_with_cores, working_folder, write_images

FOLDER = pathlib.Path(__file__).resolve().parent
# Two of tenon's ways to name a network, and the shape of an image.
NETWORKS = {
    "ResNet50V2": ("the listing's ResNet50V2", (3, 224, 224)),
    "MxnetResNet50V2": ("ResNet-50 v2", (3, 224, 224)),
    "ResNet50": ("ResNet-50 v1.5", (3, 224, 224)),
    "ResNet18": ("ResNet-18", (3, 224, 224)),
    "CifarResNet20V2": ("CIFAR ResNet-20 v2", (3, 32, 32)),
}
RUNTIMES = ("onnxruntime", "openvino", "torch-eager", "torch-jit", "torch-compile")
# What pip installs for a runtime; PyTorch reads the graph by onnx.
PACKAGES = {"onnxruntime": ("onnxruntime",), "openvino": ("openvino",), "torch": ("torch", "onnx")}
# By which variables a runtime is limited to an instruction set; ONNX Runtime has none.
LIMITS = {
    "native": {"onnxruntime": {}, "openvino": {}, "torch": {}},
    "avx2": {
        "openvino": {"ONEDNN_MAX_CPU_ISA": "AVX2", "DNNL_MAX_CPU_ISA": "AVX2"},
        "torch": {"ONEDNN_MAX_CPU_ISA": "AVX2", "ATEN_CPU_CAPABILITY": "avx2"},
    },
}
# Of the largest logit, beside tenon in the same precision; each runtime quantizes in its own way.
LARGEST_ERROR = {"float32": 1e-4, "bfloat16": 0.05, "int8": 0.3}
CALIBRATION_IMAGES = 32
# What a runtime needs beside its package in a precision.
MORE_PACKAGES = {"int8": {"onnxruntime": ("onnx",), "openvino": ("nncf",)}}
LARGEST_DRIFT = 0.05  # of the peak, in one series


def packages_of(options):
    packages = {"numpy"} | ({"matplotlib"} if options.svg else set())
    for runtime in options.runtime:
        name = runtime.split("-")[0]
        packages.update(PACKAGES[name] + MORE_PACKAGES.get(options.precision, {}).get(name, ()))
    return packages


def largest_error(results, expected):
    import array

    ours, theirs = array.array("f", results), array.array("f", expected)
    if len(ours) != len(theirs):
        raise BenchError(f"{len(theirs)} results where tenon has {len(ours)}")
    return max(abs(a - b) for a, b in zip(ours, theirs)) / max(abs(a) for a in ours)


def calls_per_round(milliseconds):
    """Enough calls to forget the pause before them, about a third of a second's worth."""
    return max(2, min(200, round(300 / milliseconds)))


def measure_series(runners, rounds):
    """Alternates between the runners. Returns the peaks and bandwidths measured before, between and after."""
    ours = runners["tenon"]
    peaks, bandwidths = [ours.ask("peak")], [ours.ask("bandwidth")]
    counts = {name: calls_per_round(min(runner.ask("time 3"))) for name, runner in runners.items()}
    for runner in runners.values():
        runner.times = []
    for index in range(rounds):
        for name, runner in runners.items():
            time.sleep(0.05)  # threads of the runtime before stop spinning
            runner.ask("time 1")
            runner.times += runner.ask(f"time {counts[name]}")
        if index == rounds // 2:
            peaks.append(ours.ask("peak"))
    peaks.append(ours.ask("peak"))
    bandwidths.append(ours.ask("bandwidth"))
    return peaks, bandwidths


def measure_row(network, batch, threads, options, tools, folder):
    """Rows of the table: one a peer."""
    title, image = NETWORKS[network]
    shape = (batch, *image)
    cores = sorted(os.sched_getaffinity(0))[:threads]
    weights, graph, images = (folder / f"{network}-{batch}.{kind}" for kind in ("safetensors", "onnx", "images"))
    samples = folder / f"{network}.samples"
    if options.precision == "int8" and not samples.exists():
        write_images(samples, (CALIBRATION_IMAGES, *image), seed=2)
    calibration = ["--calibration", samples] if options.precision == "int8" else []
    if not graph.exists():
        command = [tools.ours, "--network", network, "--weights", weights, "--onnx", graph, "--batch", str(batch), *calibration]
        subprocess.run([*command, "--calibration-images", str(CALIBRATION_IMAGES)], check=True)
        write_images(images, shape)
    runners, errors = {}, {}
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(folder / "log.txt", "a"))
        results = folder / "tenon.results"
        command = [tools.ours, "--network", network, "--weights", weights, "--input", images, "--output", results]
        runners["tenon"] = Runner([*command, "--batch", str(batch), "--threads", str(threads)], cores, log)
        stack.callback(runners["tenon"].close)
        expected = results.read_bytes()
        for runtime in options.runtime:
            limits = LIMITS[options.isa].get(runtime.split("-")[0])
            if limits is None:
                print(f"SKIPPED: {runtime} cannot be limited to {options.isa}.", file=sys.stderr)
                continue
            output = folder / f"{runtime}.results"
            command = [tools.python, FOLDER / "peer.py", runtime, "--onnx", graph, "--input", images, "--output", output]
            try:
                command += ["--shape", ",".join(map(str, shape)), "--threads", str(threads)]
                command += ["--precision", options.precision, *calibration]
                runner = Runner(command, cores, log, limits)
            except BenchError as error:
                print(f"SKIPPED: {runtime} does not run {network}: {error}; see {log.name}", file=sys.stderr)
                continue
            stack.callback(runner.close)
            error = largest_error(expected, output.read_bytes())
            if not error <= LARGEST_ERROR[options.precision]:
                raise BenchError(f"{runtime} differs from tenon by {error:.1e} of the largest result of {network}")
            runners[runtime], errors[runtime] = runner, error
        for attempt in range(options.attempts):
            peaks, bandwidths = measure_series(runners, options.rounds)
            drift = max(peaks) / min(peaks) - 1
            if drift <= LARGEST_DRIFT:
                break
            print(f"bench: the peak moved by {100 * drift:.0f} % during {network}, batch {batch}; measured again", file=sys.stderr)
    ours = runners["tenon"]
    medians = {name: statistics.median(runner.times) / batch for name, runner in runners.items()}
    fastest = {name: min(runner.times) / batch for name, runner in runners.items()}
    work = 2e-6 * ours.facts["multiply_adds"]
    return [
        {
            "net": network,
            "title": title,
            "precision": options.precision,
            "batch": batch,
            "threads": threads,
            "ours_ms": round(medians["tenon"], 3),
            "ours_fastest_ms": round(fastest["tenon"], 3),
            "instruction_set": ours.facts["instruction_set"],
            "peer": runners[name].facts["name"],
            "peer_ms": round(medians[name], 3),
            "peer_fastest_ms": round(fastest[name], 3),
            "ratio": round(medians["tenon"] / medians[name], 3),
            "percent_of_peak": round(100 * work / medians["tenon"] / statistics.median(peaks), 1),
            "peak_gflops": round(statistics.median(peaks), 1),
            "peak_drift": round(drift, 3),
            "bandwidth_gb_s": round(max(bandwidths), 1),
            "max_error": float(f"{errors[name]:.1e}"),
        }
        for name in errors
    ]


def cold_start(network, threads, tools, folder, repeat=5):
    """Seconds and megabytes from the start of a process to its first answer, ours and ONNX Runtime's, alternately."""
    _, image = NETWORKS[network]
    weights, graph, images = (folder / f"{network}-1.{kind}" for kind in ("safetensors", "onnx", "images"))
    common = ["--input", images, "--output", folder / "cold.results"]
    commands = {
        "tenon": [tools.ours, "--network", network, "--weights", weights, "--threads", str(threads), *common],
        "ONNX Runtime": [tools.python, FOLDER / "peer.py", "onnxruntime", "--onnx", graph, "--threads", str(threads)]
        + ["--shape", ",".join(map(str, (1, *image))), *common],
    }
    rows = {name: {"seconds": [], "megabytes": []} for name in commands}
    for _ in range(repeat):
        for name, command in commands.items():
            start = time.perf_counter()
            process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            _, status, usage = os.wait4(process.pid, 0)
            if status != 0:
                raise BenchError(f"{name} failed to start")
            rows[name]["seconds"].append(time.perf_counter() - start)
            rows[name]["megabytes"].append(usage.ru_maxrss / 1024)
    return {name: {key: round(statistics.median(values), 3) for key, values in row.items()} for name, row in rows.items()}


def print_table(rows, cold):
    print("| network | batch | threads | tenon ms | peer | peer ms | ratio | tenon % of peak | error |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row['title']} | {row['batch']} | {row['threads']} | {row['ours_ms']:.2f} | {row['peer']} "
            f"| {row['peer_ms']:.2f} | {row['ratio']:.2f} | {row['percent_of_peak']:.0f} | {row['max_error']:.0e} |"
        )
    if rows:
        peaks = sorted({(row["threads"], row["peak_gflops"], row["bandwidth_gb_s"]) for row in rows})
        print("\nMilliseconds an image, medians. Peaks of fused multiply-adds and memory bandwidths while measuring:")
        for threads in sorted({row[0] for row in peaks}):
            gflops = [row[1] for row in peaks if row[0] == threads]
            memory = [row[2] for row in peaks if row[0] == threads]
            print(
                f"{threads} thread{'s' if threads > 1 else ''}: {min(gflops):.0f} to {max(gflops):.0f} GFLOP/s, "
                f"{min(memory):.0f} to {max(memory):.0f} GB/s."
            )
    for network, measured in cold.items():
        parts = [f"{name} {row['seconds']:.2f} s and {row['megabytes']:.0f} MB" for name, row in measured.items()]
        print(f"\n{network}, from the start of the process to the first answer: {', '.join(parts)}.")


def main(arguments, ours):
    """`ours` builds tenon's side for an instruction set and returns its path."""
    parser = argparse.ArgumentParser(prog="scripts/bench peers", description=__doc__)
    parser.add_argument("--network", action="append", choices=NETWORKS, help="default: all")
    parser.add_argument("--runtime", action="append", choices=RUNTIMES, help="default: all")
    parser.add_argument("--batch", action="append", type=int, help="default: 1 and 16")
    parser.add_argument("--threads", action="append", type=int, help="default: 1 and 2")
    parser.add_argument("--isa", choices=LIMITS, default="native", help="limit all to an instruction set (default: %(default)s)")
    parser.add_argument("--precision", choices=LARGEST_ERROR, default="float32", help="what all compute in (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=9, help="of alternating calls in a series (default: %(default)s)")
    parser.add_argument("--attempts", type=int, default=3, help="series at most while the peak moves (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the table as JSON too")
    parser.add_argument("--svg", metavar="FILE", help="write a bar chart too")
    options = parser.parse_args(arguments)
    options.network = options.network or list(NETWORKS)
    options.runtime = options.runtime or list(RUNTIMES)
    threads = threads_with_cores(options.threads or [1, 2])

    class tools:
        python = python_of_environment(packages_of(options))

    tools.ours = ours(options.isa, options.precision)
    rows, cold = [], {}
    with working_folder() as folder:
        for network in options.network:
            for batch in options.batch or (1, 16):
                for count in threads:
                    rows += measure_row(network, batch, count, options, tools, folder)
                    print(f"bench: {network}, batch {batch}, {count} threads measured", file=sys.stderr)
            if options.isa == "native" and options.precision == "float32" and 1 in (options.batch or (1,)) and "onnxruntime" in options.runtime:
                cold[network] = cold_start(network, threads[-1], tools, folder)
    print_table(rows, cold)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"rows": rows, "cold_start": cold}, indent=2) + "\n")
    if options.svg:
        if subprocess.run([tools.python, FOLDER / "chart.py", options.svg], input=json.dumps(rows), text=True).returncode != 0:
            sys.exit(f"bench: {options.svg} was not written")
    return 0 if rows else SKIPPED
