"""`scripts/bench train`: training steps on tenon and on PyTorch, timed alternately on the same cores.

A step is forward in train mode, softmax cross entropy, backward and SGD with momentum and weight decay, on one batch. Every
side is a process of its own that has loaded the same weights; the losses of its first steps must be tenon's before anything is
timed. Memory is the peak of the first three steps over what the process held before it made the network.
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

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1] / "peers"))

from runner import SKIPPED, BenchError, Runner, python_of_environment, threads_with_cores, working_folder, write_images

FOLDER = pathlib.Path(__file__).resolve().parent
NETWORKS = {  # title, shape of the batch
    "ResNet50V2": ("the listing's ResNet50V2", (16, 3, 224, 224)),
    "CifarResNet20V2": ("CIFAR ResNet-20 v2", (128, 3, 32, 32)),
}
PEERS = ("eager", "channels-last", "compile", "debian-eager", "debian-channels-last")
# Of the losses of the first three steps. In bfloat16 the first one shows whether both compute the same; updates by rounded
# gradients then lead apart. After two of them, ResNet50V2's loss is 1.9 % from its own float32's in tenon, 7.5 % in PyTorch 2.15.
LARGEST_ERRORS = {"float32": (1e-3, 1e-3, 1e-3), "bfloat16": (5e-3, 0.1, 0.1)}
LARGEST_DRIFT = 0.05  # of the peak, in one series
DEBIAN_PYTHON = "/usr/bin/python3"


def start_peers(network, shape, threads, cores, options, python, files, log, stack):
    peers = {}
    for name in options.peer:
        debian = name.startswith("debian-")
        command = [DEBIAN_PYTHON if debian else python, FOLDER / "torch_step.py", name.removeprefix("debian-")]
        command += ["--onnx", files["onnx"], "--input", files["images"], "--shape", ",".join(map(str, shape))]
        command += ["--precision", options.precision]
        try:
            peers[name] = Runner([*command, "--threads", str(threads)], cores, log)
        except BenchError as error:
            print(f"SKIPPED: {name} does not train {network}: {error}; see the log below", file=sys.stderr)
            print(pathlib.Path(log.name).read_text()[-1000:], file=sys.stderr)
            continue
        stack.callback(peers[name].close)
    return peers


def check_losses(ours, peers, largest_errors):
    for name, peer in peers.items():
        losses = zip(ours.facts["losses"], peer.facts["losses"], largest_errors, strict=True)
        for number, (left, right, largest_error) in enumerate(losses, 1):
            if not abs(left - right) <= largest_error * abs(left):
                raise BenchError(f"the loss of step {number} is {left} by tenon and {right} by {name}")


def measure_series(ours, peers, rounds):
    """Alternates between the sides. Returns the peaks measured before, between and after."""
    peaks = [ours.ask("peak")]
    runners = [ours, *peers.values()]
    counts = []
    for runner in runners:
        runner.times = []
        counts.append(max(1, min(20, round(1000 / min(runner.ask("time 2"))))))
    for index in range(rounds):
        for runner, count in zip(runners, counts):
            time.sleep(0.05)  # threads of the side before stop spinning
            runner.times += runner.ask(f"time {count}")
        if index in (rounds // 2, rounds - 1):
            peaks.append(ours.ask("peak"))
    return peaks


def measure(network, threads, options, python, program, folder):
    title, shape = NETWORKS[network]
    cores = sorted(os.sched_getaffinity(0))[:threads]
    files = {kind: folder / f"{network}.{kind}" for kind in ("onnx", "images")}
    if not files["onnx"].exists():
        subprocess.run([program, "--network", network, "--onnx", files["onnx"], "--batch", str(shape[0])], check=True)
        write_images(files["images"], shape)
    with contextlib.ExitStack() as stack:
        log = stack.enter_context(open(folder / "log.txt", "a"))
        command = [program, "--network", network, "--input", files["images"], "--batch", str(shape[0])]
        command += ["--precision", options.precision]
        ours = Runner([*command, "--threads", str(threads)], cores, log)
        stack.callback(ours.close)
        peers = start_peers(network, shape, threads, cores, options, python, files, log, stack)
        check_losses(ours, peers, LARGEST_ERRORS[options.precision])
        for _ in range(options.attempts):
            peaks = measure_series(ours, peers, options.rounds)
            drift = max(peaks) / min(peaks) - 1
            if drift <= LARGEST_DRIFT:
                break
            print(f"bench: the peak moved by {100 * drift:.0f} % during {network}; measured again", file=sys.stderr)
        profile = ours.ask("steps") if options.profile else {}
        ours_ms = statistics.median(ours.times)
        work = 2e-6 * 3 * ours.facts["multiply_adds"] * shape[0]  # forward and both gradients
        rows = [
            {
                "net": network,
                "precision": options.precision,
                "title": title,
                "batch": shape[0],
                "threads": threads,
                "ours_ms": round(ours_ms, 2),
                "peer": peer.facts["name"] + (" (Debian)" if name.startswith("debian-") else ""),
                "peer_ms": round(statistics.median(peer.times), 2),
                "ratio": round(ours_ms / statistics.median(peer.times), 3),
                "ours_mb": round(ours.facts["megabytes"], 1),
                "peer_mb": round(peer.facts["megabytes"], 1),
                "memory_ratio": round(ours.facts["megabytes"] / peer.facts["megabytes"], 3),
                "percent_of_peak": round(100 * work / ours_ms / statistics.median(peaks), 1),
                "peak_gflops": round(statistics.median(peaks), 1),
                "peak_drift": round(drift, 3),
            }
            for name, peer in peers.items()
        ]
    return rows, profile


def print_table(rows, profiles):
    print("| network | batch | threads | tenon ms | peer | peer ms | ratio | tenon MB | peer MB | ratio | tenon % of peak |")
    print("| --- | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(
            f"| {row['title']} | {row['batch']} | {row['threads']} | {row['ours_ms']:.1f} | {row['peer']} "
            f"| {row['peer_ms']:.1f} | {row['ratio']:.2f} | {row['ours_mb']:.0f} | {row['peer_mb']:.0f} "
            f"| {row['memory_ratio']:.2f} | {row['percent_of_peak']:.0f} |"
        )
    for network, profile in profiles.items():
        print(f"\n{network}, processor milliseconds of a step on one of its threads, by operation (the quickest of five):")
        for name, milliseconds in sorted(profile.items(), key=lambda item: -item[1]):
            print(f"  {milliseconds:8.2f}  {name}")


def main(arguments, build):
    """`build` builds tenon's side for an instruction set and returns its path."""
    parser = argparse.ArgumentParser(prog="scripts/bench train", description=__doc__)
    parser.add_argument("--network", action="append", choices=NETWORKS, help="default: all")
    parser.add_argument("--peer", action="append", choices=PEERS, help="ways of PyTorch, default: all; debian- needs python3-torch and python3-onnx")
    parser.add_argument("--no-peers", action="store_true", help="tenon alone")
    parser.add_argument("--threads", action="append", type=int, help="default: 2")
    parser.add_argument("--precision", choices=LARGEST_ERRORS, default="float32", help="PyTorch's bfloat16 is autocast")
    parser.add_argument("--rounds", type=int, default=5, help="of alternating steps (default: %(default)s)")
    parser.add_argument("--attempts", type=int, default=3, help="series at most while the peak moves (default: %(default)s)")
    parser.add_argument("--profile", action="store_true", help="say what a step's time goes to")
    parser.add_argument("--json", metavar="FILE", help="write the table as JSON too")
    options = parser.parse_args(arguments)
    options.peer = [] if options.no_peers else options.peer or list(PEERS)
    threads = threads_with_cores(options.threads or [2])
    python = python_of_environment({"numpy", "torch", "onnx"}) if options.peer else None
    program = build("native")
    rows, profiles = [], {}
    with working_folder() as folder:
        for network in options.network or NETWORKS:
            for count in threads:
                measured, profile = measure(network, count, options, python, program, folder)
                rows += measured
                if profile:
                    profiles[f"{network}, {count} threads"] = profile
    print_table(rows, profiles)
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps({"rows": rows, "profiles": profiles}, indent=2) + "\n")
    return 0 if rows or profiles else SKIPPED
