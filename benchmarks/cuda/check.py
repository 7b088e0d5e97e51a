"""`scripts/gpu_check`: everything that needs a GPU, in less than ten minutes and one command.

Builds what runs on the device (or takes what was built and carried along). Then, by value: the device, its answers, the times
of inference and training in bf16, PyTorch's, and then the tests labelled gpu, comparisons of logits and training steps with the
CPU and PyTorch, the other precisions, and small shapes under compute-sanitizer. Every stage has a time of its own and needs as
few others as possible; what was found is in the report even if a later stage fails, hangs, finds no time or all is killed. A
second run can go on with what the first found no time for: --only.

Exit status: 0 when no stage failed; 1 when one did; 77 where there is no device (1 with TENON_REQUIRE_GPU=1).

With DRY=1 nothing is built and no device is used: recorded stand-ins run in place of the commands, through the same code.
DRY=NAME takes another of the rehearsals in rehearsal.py. Figures of a rehearsal are made up, and every table says so.
"""

import time

START = time.monotonic()  # everything counts, the imports too

import argparse
import glob
import hashlib
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys

import report
from stages import SKIPPED, Outcome, Runner, Stage

FOLDER = pathlib.Path(__file__).resolve().parent
ROOT = FOLDER.parents[1]
PROGRAMS = ROOT / "build/gpu/device_programs"
SECONDS = 520  # with what comes after the last stage, a call that ends after 600 stays within its time
MAX_PROGRAM_BYTES = 50 << 20  # of the folder that is carried to a machine with a device
PRECISIONS = ("bf16", "fp16", "tf32", "fp32")  # what matters most comes first
BATCHES = (256, 1, 32, 8)
TRAINING_BATCHES = (256, 64)
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")


def fingerprint():
    """Of all that the programs are made of: programs that were carried along must be of these sources."""
    digest = hashlib.sha256()
    for folder in ("include", "benchmarks/cuda", "tests/backend", "cmake"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".cu", ".cmake", ".txt"):
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_built():
    stamp = PROGRAMS / "fingerprint.txt"
    return stamp.exists() and stamp.read_text() == fingerprint() and (PROGRAMS / "gpu").exists()


def build_jobs():
    """How many files are compiled at the same time: one of them takes up to seven gigabytes."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return max(1, min(os.cpu_count() or 1, memory // (7 << 30)))


def build():
    """Configures and builds; the build's own words go to the log."""
    if is_built():
        return 0
    jobs = os.environ.get("CMAKE_BUILD_PARALLEL_LEVEL") or str(build_jobs())
    for command in (["cmake", "--preset", "gpu", "-DCMAKE_CUDA_ARCHITECTURES=90-real"],
                    ["cmake", "--build", "--preset", "gpu", "--parallel", jobs, "--target", "benchmark_gpu", "tenon_test_cuda_device"]):
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode != 0:
            return 1
    size = sum(path.stat().st_size for path in PROGRAMS.iterdir())
    print(f"{PROGRAMS} has {size / 2**20:.0f} MB", file=sys.stderr)
    if size > MAX_PROGRAM_BYTES:
        print(f"that is more than the {MAX_PROGRAM_BYTES >> 20} MB that can be carried", file=sys.stderr)
        return 1
    (PROGRAMS / "fingerprint.txt").write_text(fingerprint())
    return 0


def sanitizer():
    return shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"


def find_torch():
    """Skips what needs PyTorch where it is missing or sees no device."""
    try:
        import torch
    except ImportError as error:
        print(f"SKIPPED: {sys.executable} has no PyTorch: {error}")
        return SKIPPED
    if not torch.cuda.is_available():
        print("SKIPPED: PyTorch sees no device")
        return SKIPPED
    print(json.dumps({"kind": "PyTorch", "version": torch.__version__}))
    return 0


def library_folders(paths=None):
    """Where NVIDIA's packages for Python, which PyTorch brings along, keep cuBLASLt and cuDNN."""
    folders = []
    for path in sys.path if paths is None else paths:
        folders += sorted(glob.glob(os.path.join(glob.escape(path or "."), "nvidia", "*", "lib")))
    return folders


def sanitize(tool):
    """Runs the small shapes under a tool of compute-sanitizer; skips where it is not allowed to watch a process."""
    run = subprocess.run([sanitizer(), "--tool", tool, "--error-exitcode", "1", PROGRAMS / "gpu", "small"], capture_output=True,
                         text=True, errors="replace")
    sys.stdout.write(run.stdout[-20000:])
    sys.stderr.write(run.stderr[-20000:])
    if "SUMMARY" not in run.stdout + run.stderr:
        print("SKIPPED: compute-sanitizer could not watch the program on this machine")
        return SKIPPED
    return run.returncode


def test_command():
    """CTest where the tests were built, so that all with the label run; the carried program elsewhere."""
    cache = ROOT / "build/gpu/CMakeCache.txt"
    if cache.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}\n" in cache.read_text():
        return ["ctest", "--test-dir", ROOT / "build/gpu", "-L", "gpu", "--output-on-failure", "--no-tests=error"]
    return [PROGRAMS / "cuda_tests"]


def make_stages(folder, sanitizer_missing):
    """All stages in their order: what is worth most comes first."""
    gpu, python = PROGRAMS / "gpu", [sys.executable, FOLDER / "pytorch.py"]
    check = [sys.executable, FOLDER / "check.py"]
    batches, training_batches = ([str(batch) for batch in sizes] for sizes in (BATCHES, TRAINING_BATCHES))
    # tenon's stages find the libraries that PyTorch has. PyTorch's own stages are left as they are.
    path = ":".join(filter(None, [os.environ.get("LD_LIBRARY_PATH", ""), *library_folders()]))
    libraries = {"LD_LIBRARY_PATH": path} if path else {}
    required = libraries | {"TENON_REQUIRE_GPU": "1"}
    weights = folder / "weights.safetensors"
    with_torch = ("PyTorch", "weights")

    def ours(name, words, seconds, needs=("device",), environment=libraries, **others):
        return Stage(name, [gpu, *words], seconds, needs, environment=environment, **others)

    def inference(precision, environment=libraries, suffix="", sizes=batches):
        return ours(f"inference {precision}{suffix}", ["inference", "--precision", precision, "--batch", *sizes], 40,
                    environment=environment)

    def training(precision):
        return ours(f"training {precision}", ["training", "--precision", precision, "--batch", *training_batches], 40)

    def measured_torch(precision):
        return [*python, "inference", "--precision", precision, "--weights", weights, "--batch", *batches]

    def trained_torch(precision, modes):
        return [*python, "training", "--precision", precision, "--weights", weights, "--batch", *training_batches, "--modes", *modes]

    def theirs(precision):
        # Compiling backward takes long: only where tenon is to be compared with it.
        modes = ("eager", "compile") if precision == "bf16" else ("eager",)
        compiled = ("PyTorch compiles", "PyTorch compiles training")
        return [Stage(f"PyTorch {precision}", measured_torch(precision), 70, with_torch, compiled, optional=True),
                Stage(f"PyTorch's training {precision}", trained_torch(precision, modes), 70, with_torch, compiled, optional=True)]

    first, *rest = PRECISIONS
    stages = [
        Stage("build", [*check, "--build"], 240),
        # Importing PyTorch takes up to half a minute on a cold machine.
        Stage("PyTorch", [*check, "--find-torch"], 60, background=True, optional=True),
        ours("device", ["probe"], 60, ("build",)),
        Stage("weights", [gpu, "weights", folder], 30, ("build",)),
        Stage("work", [gpu, "work"], 20, ("build",)),
        ours("answer", ["answer", folder], 40, ("device", "weights")),
        inference(first),
        training(first),
        ours("ceilings", ["ceilings"], 20),
        inference(first, libraries | {"TENON_CUDA_PROVIDERS": "own"}, " by tenon's kernels alone", ("256", "32")),
        # Inductor keeps what it compiles, so that the measurement below finds it. What runs beside is not measured.
        Stage("PyTorch compiles", [*measured_torch(first), "--compile-only"], 150, with_torch, background=True, optional=True),
        Stage("PyTorch compiles training", [*trained_torch(first, ("compile",)), "--compile-only"], 150, with_torch,
              background=True, optional=True),
        ours("logits", ["logits"], 60),
        Stage("logits of PyTorch", [*python, "logits", folder], 60, ("PyTorch", "answer")),
        ours("gradients", ["gradients"], 40),
        Stage("tests", test_command(), 90, ("device",), environment=required),
        *theirs(first),
        ours("step", ["step", folder], 30, ("device", "weights")),
        Stage("step of PyTorch", [*python, "step", folder], 60, ("PyTorch", "step")),
        ours("description", ["description"], 30, optional=True),
    ]
    for precision in rest:
        stages += [inference(precision), training(precision)]
    for tool in SANITIZERS:
        stages.append(Stage(tool, [*check, "--sanitize", tool], 45, ("device",), skip=sanitizer_missing, environment=libraries))
    for precision in rest:
        stages += theirs(precision)
    return stages


def select(stages, words):
    """Skips all but the stages with one of the words in their name, and those that they need."""
    wanted = {stage.name for stage in stages if any(word in stage.name for word in words)}
    for stage in reversed(stages):
        if stage.name in wanted:
            wanted.update(stage.needs)
    for stage in stages:
        if stage.name not in wanted:
            stage.skip = "not asked for"


def rehearse(stages, name):
    """Puts stand-ins in place of all commands. Returns the seconds for all."""
    import rehearsal

    for stage in stages:
        stage.command = [sys.executable, FOLDER / "rehearsal.py", name, stage.name]
        stage.seconds = rehearsal.STAGE_SECONDS
    return rehearsal.SECONDS.get(name, SECONDS)


def closing_line(runner, stages, interrupted):
    """The last line, and the exit status."""
    optional = {stage.name for stage in stages if stage.optional}
    outcomes = list(runner.outcomes.values())
    counts = ", ".join(f"{sum(o.status == status for o in outcomes)} {status}"
                       for status in ("passed", "failed", "timed out", "skipped", "not run"))
    device = next((f["name"] for f in runner.findings if f.get("kind") == "device"), None)
    failures = [o.name for o in outcomes if o.is_failure and o.name not in optional]
    where = f"on {device}" if device else "without a device"
    text = f"{where} in {runner.elapsed():.0f} s: {counts}"
    if interrupted:
        return f"INTERRUPTED {text}", 1
    probe = runner.outcomes.get("device")
    if not failures and probe and probe.status == "skipped":
        status = 1 if os.environ.get("TENON_REQUIRE_GPU") == "1" else SKIPPED
        return f"NO DEVICE, so that nothing ran on one ({probe.why}): {counts}", status
    unfinished = [o.name for o in outcomes if o.status == "not run"]
    if failures:
        return f"FAILED ({', '.join(failures)}) {text}", 1
    if unfinished:
        return f"INCOMPLETE ({', '.join(unfinished)}) {text}", 1
    return f"PASSED {text}", 0


def main(arguments):
    parser = argparse.ArgumentParser(prog="scripts/gpu_check", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=ROOT / "build/gpu_check", type=pathlib.Path,
                        help="folder for report.md, report.json and log.txt (default: build/gpu_check)")
    parser.add_argument("--build", action="store_true",
                        help="build only; build/gpu/device_programs can then be carried to a machine with a device")
    parser.add_argument("--only", nargs="+", metavar="WORD",
                        help="stages with one of these words in their name, and what they need; for example training, PyTorch")
    parser.add_argument("--find-torch", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--sanitize", choices=SANITIZERS, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.build:
        return build()
    if options.find_torch:
        return find_torch()
    if options.sanitize:
        return sanitize(options.sanitize)
    dry = os.environ.get("DRY", "")
    dry = "good" if dry == "1" else dry
    options.out.mkdir(parents=True, exist_ok=True)
    # Beside the report, not in its folder, which stays small enough to be copied back: weights and answers have 100 MB.
    work = options.out.with_name(options.out.name + "_files")
    work.mkdir(exist_ok=True)

    if dry:
        sanitizer_missing = "no compute-sanitizer is rehearsed" if dry == "no_sanitizer" else None
    else:
        sanitizer_missing = None if os.path.exists(sanitizer()) else "compute-sanitizer is not installed"
    stages = make_stages(work, sanitizer_missing)
    seconds = rehearse(stages, dry) if dry else SECONDS
    if options.only:
        select(stages, options.only)

    interrupted = False

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    with open(options.out / "log.txt", "w", encoding="utf-8") as log:
        runner = Runner(seconds, log, start=START, say=lambda text: print(text, flush=True),
                        changed=lambda: report.write(options.out, runner, bool(dry)))
        report.write(options.out, runner, bool(dry))  # there is a report from here on, whatever happens
        try:
            for stage in stages:
                runner.run(stage)
        except KeyboardInterrupt:
            interrupted = True
            for stage in stages:
                if stage.name not in runner.outcomes:
                    runner.outcomes[stage.name] = Outcome(stage.name, "not run", why="interrupted")
        finally:
            runner.stop()
        line, status = closing_line(runner, stages, interrupted)
        report.write(options.out, runner, bool(dry), line)
    print()
    print((options.out / "report.md").read_text(encoding="utf-8"))
    print(f"gpu_check: {'REHEARSAL: ' if dry else ''}{line}")
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
