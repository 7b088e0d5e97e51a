"""`scripts/bench behaviour`: what runtimes do beside computing, each in a process of its own, on the same network and weights.

Processor seconds of an idle minute after a call; resident memory after 1, 1,000 and 10,000 calls; the bits of results over 1 to
16 threads; two models, in turn and at once; the time from a process's start to its first answer; the first call beside later ones;
what is on disk; and how a call that may use one processor runs when nobody says how many threads to take. All by default on
ResNet-18, and on as many threads as there are cores.
"""

import argparse
import contextlib
import hashlib
import json
import os
import pathlib
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

FOLDER = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent / "peers"))

from runner import SKIPPED, BenchError, Runner, python_of_environment, working_folder, write_images  # noqa: E402

NETWORKS = {"ResNet18": (3, 224, 224), "ResNet50": (3, 224, 224), "ResNet50V2": (3, 224, 224), "CifarResNet20V2": (3, 32, 32)}
PEERS = {"onnxruntime": "ONNX Runtime", "openvino": "OpenVINO", "torch-jit": "PyTorch"}
PACKAGES = {"onnxruntime": ("onnxruntime",), "openvino": ("openvino",), "torch-jit": ("torch", "onnx")}
# What a full run measures, and what a quick one does, which is for trying the script on a busy machine.
FULL = {"network": "ResNet18", "idle": 60, "calls": (1, 1000, 10000), "threads": (1, 2, 3, 4, 8, 16), "series": 50, "starts": 5}
QUICK = {"network": "CifarResNet20V2", "idle": 3, "calls": (1, 10, 100), "threads": (1, 2, 4), "series": 10, "starts": 2}


class Measured(Runner):
    """A process that answers commands, watched from outside."""

    def __init__(self, command, log, prepare=lambda: None):
        start = time.perf_counter()
        environment = {key: value for key, value in os.environ.items() if not key.startswith(("OMP_", "MKL_"))}
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True,
                                        env=environment, preexec_fn=prepare)
        self.command = command
        self.facts = json.loads(self.answer())
        self.start_seconds = time.perf_counter() - start

    def processor_seconds(self):
        fields = pathlib.Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def status(self, key):
        text = pathlib.Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(rf"^{key}:\s+(\d+)", text, re.MULTILINE)[1])

    def megabytes(self):
        return self.status("VmRSS") / 1024


class Tools:
    """The commands that start a runtime's process on a network."""

    def __init__(self, ours, python, options, folder):
        self.ours, self.python, self.network, self.folder = ours, python, options.network, folder
        shape = (1, *NETWORKS[options.network])
        self.shape = ",".join(map(str, shape))
        write_images(folder / "images", shape)
        subprocess.run([ours, "--network", options.network, "--weights", folder / "weights", "--onnx", folder / "graph.onnx"],
                       check=True)

    def command(self, runtime, threads, output):
        common = ["--input", self.folder / "images", "--output", output, "--threads", str(threads)]
        if runtime == "tenon":
            return [self.ours, "--network", self.network, "--weights", self.folder / "weights", *common]
        return [self.python, FOLDER.parent / "peers/peer.py", runtime, "--onnx", self.folder / "graph.onnx", "--shape", self.shape,
                *common]


def one_processor():
    """Where a process gets one processor's time: what is called before it starts, what it is called, and what ends it."""
    here = pathlib.Path("/sys/fs/cgroup")
    for group, files in ((here / "tenon_bench", {"cpu.max": "100000 100000"}),
                         (here / "cpu/tenon_bench", {"cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "100000"})):
        try:
            if not group.parent.joinpath("cgroup.procs").exists():
                continue
            group.mkdir(exist_ok=True)
            for name, value in files.items():
                (group / name).write_text(value)
            return (lambda: (group / "cgroup.procs").write_text(str(os.getpid())),
                    f"quota of a cgroup (version {2 if 'cpu.max' in files else 1})", group.rmdir)
        except OSError:
            with contextlib.suppress(OSError):
                group.rmdir()
    core = min(os.sched_getaffinity(0))
    return lambda: os.sched_setaffinity(0, {core}), "affinity to one core, as no cgroup can be written here", lambda: None


def bits_over_threads(tools, runtime, numbers, log):
    """How many different results there are over numbers of threads, each of two calls in processes of their own."""
    results = set()
    for threads in numbers:
        for _ in range(2):
            output = tools.folder / "bits.results"
            Measured(tools.command(runtime, threads, output), log).close()
            results.add(hashlib.sha256(output.read_bytes()).hexdigest())
    return len(results)


def size_on_disk(runtime, tools):
    """Megabytes: a program without debug information and its libraries beside the system's, or an installed package."""
    if runtime == "tenon":
        with tempfile.NamedTemporaryFile() as stripped:
            subprocess.run(["strip", "-o", stripped.name, tools.ours], check=True)
            own = os.path.getsize(stripped.name)
        listed = subprocess.run(["ldd", tools.ours], capture_output=True, text=True, check=True).stdout
        # Those that come with a compiler and the system are the peers' too.
        shared = re.compile(r"lib(c|m|stdc\+\+|gcc_s|pthread|dl|rt|benchmark)\.so|ld-linux|vdso")
        libraries = [path for path in re.findall(r"=> (/\S+)", listed) if not shared.search(path)]
        return (own + sum(os.path.getsize(os.path.realpath(path)) for path in libraries)) / 1e6
    package = runtime.split("-")[0]
    code = f"import importlib.util; print(importlib.util.find_spec({package!r}).submodule_search_locations[0])"
    folder = pathlib.Path(subprocess.run([tools.python, "-c", code], capture_output=True, text=True, check=True).stdout.strip())
    folders = [folder, *folder.parent.glob(f"{package}.libs")]
    files = [file for one in folders for file in one.rglob("*") if file.is_file() and not file.is_symlink()]
    for_gpus = re.compile(r"(cuda|nvrtc|nvshmem)\S*\.so")  # PyPI's PyTorch has them
    return sum(file.stat().st_size for file in files if not for_gpus.search(file.name)) / 1e6


def measure(runtime, tools, options, log, limit):
    """A runtime's row."""
    cores = len(os.sched_getaffinity(0))
    output = tools.folder / f"{runtime}.results"
    command = tools.command(runtime, cores, output)
    row = {}
    process = Measured(command, log)
    with contextlib.closing(process):
        row["name"] = process.facts["name"]
        row["first_ms"] = process.facts["first_ms"]
        calls, row["memory_mb"] = 1, {}  # the first call was before its facts
        for count in options.calls:
            while calls < count:
                process.ask(f"time {min(count - calls, 500)}")
                calls += min(count - calls, 500)
            row["memory_mb"][count] = round(process.megabytes(), 1)
        before = process.processor_seconds()
        process.ask("time 1")
        called = process.processor_seconds()
        time.sleep(options.idle)
        row["idle_seconds"] = round(process.processor_seconds() - called, 3)
        row["call_seconds"] = round(called - before, 3)
        row["threads"] = process.status("Threads")
        row["later_ms"] = statistics.median(process.ask(f"time {options.series}"))
        row["turns_ms"] = statistics.median(process.ask(f"turns {options.series}"))
        row["both_ms"] = statistics.median(process.ask(f"both {options.series}"))
    starts = []
    for _ in range(options.starts):
        with contextlib.closing(Measured(command, log)) as one:
            starts.append((one.start_seconds, one.facts["load_ms"]))
    row["start_seconds"], row["load_ms"] = (statistics.median(values) for values in zip(*starts))
    row["different_results"] = bits_over_threads(tools, runtime, options.threads, log)
    row["megabytes_on_disk"] = round(size_on_disk(runtime, tools), 1)
    # One processor, and nobody says how many threads; beside it the same with one thread.
    row["one_processor"] = {}
    for name, threads in (("by itself", 0), ("one thread", 1)):
        with contextlib.closing(Measured(tools.command(runtime, threads, output), log, limit)) as one:
            times = one.ask(f"time {options.series}")
            row["one_processor"][name] = {"median_ms": statistics.median(times), "slowest_ms": max(times),
                                          "threads": one.status("Threads")}
    return row


def table_of(rows, options, quota):
    """Lines of (what, a text per runtime)."""
    def each(text):
        return [text(row) for row in rows]

    def beside(row, key):
        return f"{row[key]:.2f} ms ({row[key] / row['later_ms']:.2f} x one)"

    lines = [(f"processor seconds in {options.idle} s after a call", each(lambda row: f"{row['idle_seconds']:.2f}"))]
    for count in options.calls:
        lines.append((f"resident memory after {count:,} call{'s' if count > 1 else ''}, MB",
                      each(lambda row, count=count: f"{row['memory_mb'][count]:.0f}")))
    runs = 2 * len(options.threads)
    lines += [
        (f"different results in {runs} runs on {', '.join(map(str, options.threads))} threads", each(lambda row: str(row["different_results"]))),
        ("one call", each(lambda row: f"{row['later_ms']:.2f} ms")),
        ("two models in turn", each(lambda row: beside(row, "turns_ms"))),
        ("two models at once", each(lambda row: beside(row, "both_ms"))),
        ("from the process's start to its first answer", each(lambda row: f"{row['start_seconds']:.2f} s")),
        ("of that, loading the network", each(lambda row: f"{row['load_ms'] / 1000:.2f} s")),
        ("first call", each(lambda row: beside(row, "first_ms"))),
        ("program and libraries for CPUs on disk, MB", each(lambda row: f"{row['megabytes_on_disk']:.1f}")),
        ("one processor, threads chosen by itself: call, slowest", each(
            lambda row: "{median_ms:.1f} ms, {slowest_ms:.1f} ms".format(**row["one_processor"]["by itself"]))),
        ("one processor, one thread: call, slowest", each(
            lambda row: "{median_ms:.1f} ms, {slowest_ms:.1f} ms".format(**row["one_processor"]["one thread"]))),
    ]
    print("| " + " | ".join(["", *each(lambda row: row["name"])]) + " |")
    print("| --- |" + " ---: |" * len(rows))
    for what, texts in lines:
        print("| " + " | ".join([what, *texts]) + " |")
    cores = len(os.sched_getaffinity(0))
    print(f"\n{options.network}, batch 1, {cores} threads unless a row says otherwise, on {machine()}; one processor: {quota}. The "
          f"peers are Python packages: Python with numpy alone starts in {options.python_seconds:.2f} s.")


def machine():
    text = pathlib.Path("/proc/cpuinfo").read_text()
    name = re.search(r"^model name\s*:\s*(.+)$", text, re.MULTILINE)
    sets = [one for one in ("avx2", "avx512f") if re.search(rf"\b{one}\b", text)]
    return f"{name[1] if name else platform.machine()} with {' and '.join(sets) or 'neither avx2 nor avx512f'}"


def main(arguments, ours):
    """`ours` builds tenon's side for an instruction set and returns its path."""
    parser = argparse.ArgumentParser(prog="scripts/bench behaviour", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a small network and short series, to try this on a busy machine")
    parser.add_argument("--network", choices=NETWORKS)
    parser.add_argument("--runtime", action="append", choices=PEERS, help="beside tenon; default: all")
    parser.add_argument("--idle", type=int, help="seconds after a call")
    parser.add_argument("--program", type=pathlib.Path, help="tenon's side, built already")
    parser.add_argument("--json", metavar="FILE", help="write all numbers as JSON too")
    parser.add_argument("--svg", metavar="FILE", help="write a chart too")
    options = parser.parse_args(arguments)
    for name, value in (QUICK if options.quick else FULL).items():
        if getattr(options, name, None) is None:
            setattr(options, name, value)
    options.runtime = options.runtime or list(PEERS)
    if shutil.which("strip") is None or not pathlib.Path("/proc/self/status").exists():
        print("SKIPPED: this needs strip (Debian: binutils) and Linux's /proc.")
        return SKIPPED
    packages = {"numpy", *(name for runtime in options.runtime for name in PACKAGES[runtime])}
    python = python_of_environment(packages | ({"matplotlib"} if options.svg else set()))
    program = options.program or ours("native")
    start = time.perf_counter()
    subprocess.run([python, "-c", "import numpy"], check=True)
    options.python_seconds = time.perf_counter() - start
    limit, quota, end = one_processor()
    rows = []
    try:
        with working_folder() as folder, open(folder / "log.txt", "a") as log:
            tools = Tools(program, python, options, folder)
            for runtime in ("tenon", *options.runtime):
                try:
                    rows.append(measure(runtime, tools, options, log, limit))
                except BenchError as error:
                    if runtime == "tenon":
                        raise
                    log.flush()
                    print(f"SKIPPED: {PEERS[runtime]} does not run: {error}: "
                          f"{(folder / 'log.txt').read_text().strip().splitlines()[-1:]}", file=sys.stderr)
                    continue
                print(f"bench: {rows[-1]['name']} measured", file=sys.stderr)
    finally:
        time.sleep(0.2)
        with contextlib.suppress(OSError):
            end()
    table_of(rows, options, quota)
    document = {"machine": machine(), "network": options.network, "idle": options.idle, "quota": quota, "rows": rows}
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(document, indent=2) + "\n")
    if options.svg:
        if subprocess.run([python, FOLDER / "chart.py", options.svg], input=json.dumps(document), text=True).returncode != 0:
            sys.exit(f"bench: {options.svg} was not written")
    return 0 if len(rows) > 1 else SKIPPED
