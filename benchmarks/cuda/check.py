"""`scripts/gpu_check`: everything that needs a GPU, in less than ten minutes and one command.

Builds what runs on the device (or takes what was built and carried along), runs the tests labelled gpu, compares logits and
training steps with the CPU and with PyTorch, measures inference and training beside PyTorch, first in bf16, and runs small
shapes under compute-sanitizer. Every stage has a time of its own; what was found is in the report even if a later stage
fails, hangs or finds no time. A second run can go on with what the first found no time for: --only.

Exit status: 0 when no stage failed; 1 when one did; 77 where there is no device (1 with TENON_REQUIRE_GPU=1).

With DRY=1 nothing is built and no device is used: recorded stand-ins run in place of the commands, through the same code.
DRY=NAME takes another of the rehearsals in rehearsal.py. Figures of a rehearsal are made up, and every table says so.
"""

import argparse
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
SECONDS = 540
PRECISIONS = ("bf16", "fp16", "tf32", "fp32")  # what matters most comes first
BATCHES = (256, 1, 32, 8)
TRAINING_BATCHES = (256, 64)
SANITIZERS = ("memcheck", "racecheck", "initcheck", "synccheck")


def fingerprint():
    """Of all that the programs are made of: programs that were carried along must be of these sources."""
    digest = hashlib.sha256()
    for folder in ("include", "benchmarks/cuda", "tests/cuda", "tests/backend", "cmake"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".hpp", ".cpp", ".cu", ".cmake", ".txt"):
                digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def is_built():
    stamp = PROGRAMS / "fingerprint.txt"
    return stamp.exists() and stamp.read_text() == fingerprint() and (PROGRAMS / "gpu").exists()


def build():
    """Configures and builds; the build's own words go to the log."""
    if is_built():
        return 0
    for command in (["cmake", "--preset", "gpu"],
                    ["cmake", "--build", "--preset", "gpu", "--target", "benchmark_gpu", "tenon_test_cuda_device"]):
        if subprocess.run(command, cwd=ROOT, stdout=sys.stderr).returncode != 0:
            return 1
    (PROGRAMS / "fingerprint.txt").write_text(fingerprint())
    return 0


def sanitizer():
    return shutil.which("compute-sanitizer") or "/usr/local/cuda/bin/compute-sanitizer"


def find_torch():
    """Why PyTorch is not compared with; None if it can be."""
    code = "import sys, torch; sys.exit(0 if torch.cuda.is_available() else 3)"
    try:
        status = subprocess.run([sys.executable, "-c", code], capture_output=True, timeout=60).returncode
    except subprocess.TimeoutExpired:
        return "PyTorch does not load within a minute"
    return {0: None, 3: "PyTorch sees no device"}.get(status, f"{sys.executable} has no PyTorch")


def test_command():
    """CTest where the tests were built, so that all with the label run; the carried program elsewhere."""
    cache = ROOT / "build/gpu/CMakeCache.txt"
    if cache.exists() and f"CMAKE_HOME_DIRECTORY:INTERNAL={ROOT}\n" in cache.read_text():
        return ["ctest", "--test-dir", ROOT / "build/gpu", "-L", "gpu", "--output-on-failure", "--no-tests=error"]
    return [PROGRAMS / "cuda_tests"]


def make_stages(folder, torch_missing, sanitizer_missing):
    """All stages in their order."""
    gpu, python = PROGRAMS / "gpu", [sys.executable, FOLDER / "pytorch.py"]
    batches, training_batches = ([str(batch) for batch in sizes] for sizes in (BATCHES, TRAINING_BATCHES))
    required = {"TENON_REQUIRE_GPU": "1"}
    weights = folder / "weights.safetensors"

    def measured_torch(precision):
        return [*python, "inference", "--precision", precision, "--weights", weights, "--batch", *batches]

    def trained_torch(precision, modes):
        return [*python, "training", "--precision", precision, "--weights", weights, "--batch", *training_batches, "--modes", *modes]

    def ours(precision):
        return [Stage(f"inference {precision}", [gpu, "inference", "--precision", precision, "--batch", *batches], 40, ("device",)),
                Stage(f"training {precision}", [gpu, "training", "--precision", precision, "--batch", *training_batches], 40,
                      ("device",))]

    def theirs(precision):
        # Compiling backward takes long: only where tenon is to be compared with it.
        modes = ("eager", "compile") if precision == "bf16" else ("eager",)
        return [Stage(f"PyTorch's training {precision}", trained_torch(precision, modes), 70, ("answer",), skip=torch_missing,
                      optional=True),
                Stage(f"PyTorch {precision}", measured_torch(precision), 70, ("answer",), skip=torch_missing, optional=True)]

    stages = [
        Stage("build", [sys.executable, FOLDER / "check.py", "--build"], 240),
        Stage("device", [gpu, "probe"], 20, ("build",)),
        Stage("work", [gpu, "work"], 20, ("build",)),
        Stage("answer", [gpu, "answer", folder], 40, ("device",)),
        # Inductor keeps what it compiles, so that the measurement below finds it.
        Stage("PyTorch compiles", [*measured_torch("bf16"), "--compile-only"], 150, ("answer",), skip=torch_missing,
              background=True, optional=True),
        Stage("PyTorch compiles training", [*trained_torch("bf16", ("compile",)), "--compile-only"], 150, ("answer",),
              skip=torch_missing, background=True, optional=True),
        Stage("tests", test_command(), 90, ("device",), environment=required),
        Stage("logits", [gpu, "logits"], 60, ("device",)),
        Stage("logits of PyTorch", [*python, "logits", folder], 60, ("answer",), skip=torch_missing),
        Stage("gradients", [gpu, "gradients"], 40, ("device",)),
        Stage("step", [gpu, "step", folder], 30, ("device",)),
        Stage("step of PyTorch", [*python, "step", folder], 60, ("step",), skip=torch_missing),
        # The measurements must not share the device with the compilations.
        Stage("ceilings", [gpu, "ceilings"], 20, ("device",), ("PyTorch compiles", "PyTorch compiles training")),
    ]
    first, *rest = PRECISIONS
    stages += [*ours(first), *theirs(first)]
    for precision in rest:
        stages += ours(precision)
    for tool in SANITIZERS:
        command = [sanitizer(), "--tool", tool, "--error-exitcode", "1", gpu, "small"]
        stages.append(Stage(tool, command, 45, ("device",), skip=sanitizer_missing))
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
    options = parser.parse_args(arguments)
    if options.build:
        return build()
    dry = os.environ.get("DRY", "")
    dry = "good" if dry == "1" else dry
    options.out.mkdir(parents=True, exist_ok=True)
    work = options.out / "files"
    work.mkdir(exist_ok=True)

    if dry:
        torch_missing = "no PyTorch is rehearsed" if dry == "no_pytorch" else None
        sanitizer_missing = "no compute-sanitizer is rehearsed" if dry == "no_sanitizer" else None
    else:
        torch_missing = find_torch()
        sanitizer_missing = None if os.path.exists(sanitizer()) else "compute-sanitizer is not installed"
    stages = make_stages(work, torch_missing, sanitizer_missing)
    seconds = rehearse(stages, dry) if dry else SECONDS
    if options.only:
        select(stages, options.only)

    interrupted = False

    def interrupt(*_):
        raise KeyboardInterrupt

    signal.signal(signal.SIGTERM, interrupt)
    with open(options.out / "log.txt", "w", encoding="utf-8") as log:
        runner = Runner(seconds, log, say=lambda text: print(text, flush=True),
                        changed=lambda: report.write(options.out, runner, bool(dry)))
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
