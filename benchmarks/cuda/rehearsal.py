"""Stands in for the commands of `scripts/gpu_check` under DRY=1: prints what they would, or fails as they may.

usage: rehearsal.py REHEARSAL STAGE

All figures are made up, and round so that nobody takes them for readings.
"""

import json
import os
import signal
import subprocess
import sys
import time

STAGE_SECONDS = 5.0
SECONDS = {"slow": 6.0}  # for all stages, in the rehearsal where time runs out

REHEARSALS = {
    "good": "everything passes",
    "no_device": "the driver has no device",
    "no_pytorch": "PyTorch is not installed",
    "no_libraries": "neither cuBLASLt nor cuDNN is found",
    "answer_fails": "two runs of one precision differ",
    "description_hangs": "cuDNN doesn't finish loading",
    "sanitizer_refused": "the machine lets nobody watch a process",
    "no_sanitizer": "compute-sanitizer is not installed",
    "build_fails": "nvcc fails",
    "test_fails": "a test fails",
    "sanitizer_finds": "racecheck finds a race",
    "wrong_logits": "a logit is off",
    "undefined_logits": "a logit is a NaN",
    "wrong_gradients": "a gradient is off",
    "undefined_gradients": "a gradient is a NaN",
    "wrong_step": "PyTorch makes another step",
    "training_fails": "training fails behind its first row",
    "training_hangs": "a training step never ends",
    "garbage": "a program prints what is no JSON",
    "crash": "a measurement ends by a signal",
    "noise": "a measurement writes megabytes of words and of errors",
    "hang": "a measurement hangs behind its second row, and a child of it ignores being asked to end",
    "pytorch_fails": "PyTorch fails in one precision",
    "pytorch_hangs": "PyTorch does not finish compiling",
    "pytorch_trains_not": "PyTorch compiles no backward, and does not train in fp16",
    "slow": "time runs out",
}


def say(**finding):
    print(json.dumps(finding), flush=True)


def inference(precision, batches=(256, 1, 32, 8), **others):
    for batch in batches:
        say(kind="inference", network="ResNet50V2", precision=precision, batch=batch, ms=1.0 * batch, fastest_ms=0.9 * batch,
            with_copies_ms=2.0 * batch, rounds=30, convolutions={"tenon": 20, "cuBLASLt": 2, "cuDNN": 3}, **others)


def training(precision, batches=(256, 64)):
    for batch in batches:
        say(kind="training", network="ResNet50V2", precision=precision, batch=batch, ms=3.0 * batch, fastest_ms=2.0 * batch,
            with_copies_ms=4.0 * batch, rounds=30, first_loss=8.0, last_loss=1.0)


def pytorch_training(precision, modes):
    for mode in modes:
        for batch in (256, 64):
            say(kind="PyTorch's training", mode=mode, precision=precision, batch=batch,
                ms={"eager": 4.5, "compile": 6.0}[mode] * batch)


def compare_step(against, wrong):
    for what in ("logits", "loss", "gradients", "changes of parameters", "running statistics"):
        error = wrong if what == "gradients" else 1e-6
        say(kind="step", what=what, network="ResNet50V2", precision="fp32", batch=4, against=against, error=error, bound=1e-4)


def pytorch(precision):
    for mode, factor in (("eager", 4.0), ("graph", 3.0), ("compile", 2.0)):
        for batch in (256, 1, 32, 8):
            say(kind="PyTorch's inference", mode=mode, precision=precision, batch=batch, ms=factor * batch)


def play(rehearsal, stage):
    """The exit status of a stage."""
    precision = stage.split()[-1]
    if rehearsal == "slow":
        time.sleep(0.7)
    if stage == "build":
        return 1 if rehearsal == "build_fails" else 0
    if stage == "device":
        if rehearsal == "no_device":
            print("SKIPPED: there is no device: the rehearsal has none")
            return 77
        say(kind="device", name="Rehearsed H100", multiprocessors=132)
        for name in ("cuBLASLt", "cuDNN"):
            say(kind="library", name=name, state="missing: it is not there" if rehearsal == "no_libraries" else "1 in a folder")
    if stage == "PyTorch":
        if rehearsal == "no_pytorch":
            print("SKIPPED: no PyTorch is rehearsed")
            return 77
        say(kind="PyTorch", version="0")
        return 0
    if stage == "answer" and rehearsal == "answer_fails":
        print("gpu: fp16: two runs of one batch differ", file=sys.stderr)
        return 1
    if stage == "description" and rehearsal == "description_hangs":
        time.sleep(600)
    if stage == "racecheck" and rehearsal == "sanitizer_refused":
        print("SKIPPED: compute-sanitizer could not watch the program on this machine")
        return 77
    if stage == "work":
        for name in ("fp32", "tf32", "bf16", "fp16"):
            # One step that is bound by its arithmetic, one by its bytes; and weights that are read once a batch.
            say(kind="work", network="ResNet50V2", precision=name, steps=[[10**9, 0, 0], [0, 10**6, 10**6]])
            say(kind="training work", network="ResNet50V2", precision=name, steps=[[3 * 10**9, 0, 0], [0, 0, 10**8]])
    if stage == "ceilings":
        say(kind="ceiling", what="memory", gb_s=1000.0)
        say(kind="ceiling", what="bf16", tflop_s=100.0)
    if stage == "tests":
        print("5 tests passed, SKIPPED: none")  # words of a passing stage are no findings
        return 8 if rehearsal == "test_fails" else 0
    if stage in ("logits", "logits of PyTorch"):
        against = "the CPU" if stage == "logits" else "PyTorch in 64 bits"
        wrong = {"wrong_logits": 0.5, "undefined_logits": None}.get(rehearsal, 1e-6)
        say(kind="logits", network="ResNet50V2", precision="fp32", batch=1, against=against, error=1e-6, bound=1e-5)
        say(kind="logits", network="ResNet50V2", precision="bf16", batch=1, against=against, error=wrong, bound=1e-2)
        if rehearsal == "garbage":
            print('{"kind": "logits", "network":')
    if stage == "gradients":
        compare_step("the CPU", {"wrong_gradients": 0.5, "undefined_gradients": None}.get(rehearsal, 1e-6))
    if stage == "step of PyTorch":
        compare_step("PyTorch in 64 bits", 0.5 if rehearsal == "wrong_step" else 1e-6)
    if stage == "racecheck" and rehearsal == "sanitizer_finds":
        print("========= Error: Potential RAW hazard detected")
        return 1
    if stage == "inference bf16 by tenon's kernels alone":
        inference("bf16", (256, 32), providers="own")
        return 0
    if stage.startswith("inference"):
        if precision == "bf16" and rehearsal == "crash":
            inference(precision, (256,))
            os.kill(os.getpid(), signal.SIGSEGV)
        if precision == "bf16" and rehearsal == "noise":
            for stream in (sys.stdout, sys.stderr):
                for _ in range(50_000):
                    print("words " * 16, file=stream)
                print("its last words", file=stream)
        if precision == "bf16" and rehearsal == "hang":
            inference(precision, (256, 1))
            child = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print('child', flush=True); time.sleep(600)"
            subprocess.run([sys.executable, "-c", child])
        inference(precision)
    if stage.startswith("training"):
        if precision == "bf16" and rehearsal == "training_fails":
            training(precision, (256,))
            print("gpu: the loss is not a number", file=sys.stderr)
            return 1
        if precision == "bf16" and rehearsal == "training_hangs":
            training(precision, (256,))
            time.sleep(600)
        training(precision)
    if stage.startswith("PyTorch compiles"):
        if rehearsal == "pytorch_hangs":
            time.sleep(600)
        return 0
    if stage.startswith("PyTorch's training"):
        if rehearsal == "pytorch_trains_not":
            if precision != "fp16":
                pytorch_training(precision, ("eager",))
            return 1 if precision in ("bf16", "fp16") else 0
        pytorch_training(precision, ("eager", "compile") if precision == "bf16" else ("eager",))
    elif stage.startswith("PyTorch"):
        if precision == "fp32" and rehearsal == "pytorch_fails":
            return 1
        pytorch(precision)
    return 0


if __name__ == "__main__":
    if len(sys.argv) != 3 or sys.argv[1] not in REHEARSALS:
        names = "\n".join(f"  DRY={name}: {what}" for name, what in REHEARSALS.items())
        sys.exit(f"{__doc__}\nRehearsals:\n{names}")
    sys.exit(play(*sys.argv[1:]))
