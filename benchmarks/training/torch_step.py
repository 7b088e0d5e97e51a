"""PyTorch's side of `scripts/bench train`: a training step of the graph of an ONNX file, timed whenever it is told to.

usage: torch_step.py HOW --onnx FILE --input FILE --shape N,C,H,W --threads N [--precision P]

HOW is one of eager, channels-last, compile. The protocol is that of tenon.cpp: one line of JSON with the losses of the first
steps and the growth of memory, then for each line "time N" the milliseconds of N steps.
"""

import argparse
import json
import os
import pathlib
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "benchmarks" / "peers"), str(ROOT / "scripts")]

import python_packages  # noqa: E402

FIRST_STEPS = 3


def status_megabytes(name):
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith(name + ":"))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("how", choices=("eager", "channels-last", "compile"))
    parser.add_argument("--onnx", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--shape", required=True, help="of the batch, for example 16,3,224,224")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16"), default="float32")
    options = parser.parse_args()

    python_packages.require("torch_step.py", may_install=False, numpy="numpy", torch="torch", onnx="onnx")
    import numpy
    import torch
    from torch_graph import Graph

    torch.set_num_threads(options.threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    shape = [int(size) for size in options.shape.split(",")]
    batch = torch.from_numpy(numpy.fromfile(options.input, dtype=numpy.float32).reshape(shape))
    before = status_megabytes("VmRSS")
    layout = torch.contiguous_format if options.how == "eager" else torch.channels_last
    module = Graph(options.onnx).train().to(memory_format=layout)
    batch = batch.contiguous(memory_format=layout)
    with torch.no_grad():  # the number of classes; running statistics are moved by tenon's first step alone
        classes = module.eval()(batch[:1]).shape[1]
        module.train()
    labels = torch.arange(shape[0]) % classes
    decayed = [p for p in module.parameters() if p.dim() > 1]
    others = [p for p in module.parameters() if p.dim() <= 1]
    groups = [{"params": decayed, "weight_decay": 1e-4}, {"params": others, "weight_decay": 0}]
    optimizer = torch.optim.SGD(groups, lr=0.001, momentum=0.9)
    run = torch.compile(module) if options.how == "compile" else module

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=options.precision == "bfloat16"):
            logits = run(batch)
        loss = torch.nn.functional.cross_entropy(logits.float(), labels)
        loss.backward()
        optimizer.step()
        return loss.item()

    losses = [step() for _ in range(FIRST_STEPS)]
    name = f"PyTorch {torch.__version__.split('+')[0]} {options.how}"
    print(json.dumps({"name": name, "losses": losses, "megabytes": status_megabytes("VmHWM") - before}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            step()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(pathlib.Path("build/inductor").resolve()))
    main()
