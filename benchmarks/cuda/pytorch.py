"""PyTorch's side of `scripts/gpu_check`: the listing's network with tenon's weights.

usage: pytorch.py logits FOLDER
           compare what `gpu answer FOLDER` wrote with PyTorch in 64 bits, on the CPU
       pytorch.py inference --precision P --weights FILE --batch N... [--compile-only]
           measure eager (channels_last), eager in a CUDA graph, and torch.compile
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

import numpy
import torch

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/reference")]

import safetensors_file  # noqa: E402
from resnet50v import ResNet50V  # noqa: E402

TYPES = {"fp32": torch.float32, "tf32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


def say(**finding):
    print(json.dumps(finding), flush=True)


def load(weights):
    """The network in evaluation mode. Raises ValueError where names or shapes are not the listing's."""
    model = ResNet50V(classes=1000)
    tensors, _ = safetensors_file.read(pathlib.Path(weights))
    result = model.load_state_dict({name: torch.from_numpy(array.copy()) for name, array in tensors.items()}, strict=False)
    missing = [name for name in result.missing_keys if not name.endswith("num_batches_tracked")]
    if missing or result.unexpected_keys:
        raise ValueError(f"{weights} does not fit the listing: without {missing}, with {result.unexpected_keys}")
    return model.eval()


def compare_logits(folder):
    model = load(folder / "weights.safetensors").double()
    images = numpy.fromfile(folder / "images.raw", numpy.float32).reshape(-1, 3, 224, 224)
    with torch.no_grad():
        expected = model(torch.from_numpy(images).double()).numpy()
    for precision, bound in json.loads((folder / "bounds.json").read_text()).items():
        found = numpy.fromfile(folder / f"{precision}.raw", numpy.float32).reshape(expected.shape)
        error = float(numpy.abs(found - expected).max() / numpy.abs(expected).max())
        say(kind="logits", network="ResNet50V2", precision=precision, batch=len(images), against="PyTorch in 64 bits",
            error=error if numpy.isfinite(error) else None, bound=bound)


def measure(run, batch):
    """Milliseconds of a batch, measured as tenon measures itself (cell.hpp)."""
    runs = 1 if batch <= 8 else 10
    for _ in range(5):
        run()
    torch.cuda.synchronize()
    times, begin = [], time.perf_counter()
    while len(times) < 30 or (len(times) < 300 and time.perf_counter() - begin < 1.5):
        start = time.perf_counter()
        for _ in range(runs):
            run()
        torch.cuda.synchronize()
        times.append(1000 * (time.perf_counter() - start) / runs)
        if time.perf_counter() - begin > 6:
            break
    return {"ms": statistics.median(times), "fastest_ms": min(times), "rounds": len(times)}


def graphed(model, images):
    """A function that replays the model's run on the images as a CUDA graph."""
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        for _ in range(3):
            model(images)
    torch.cuda.current_stream().wait_stream(stream)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        model(images)
    return graph.replay


def measure_modes(options):
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"
    data_type = TYPES[options.precision]
    model = load(options.weights).to("cuda", data_type, memory_format=torch.channels_last)

    def images_of(batch):
        images = torch.rand(batch, 3, 224, 224, device="cuda") * 2 - 1
        return images.to(data_type, memory_format=torch.channels_last)

    def eager(images):
        return lambda: model(images)

    def compiled(images):
        fast = torch.compile(model, mode="reduce-overhead", dynamic=False)
        return lambda: fast(images)

    modes = {"eager": eager, "graph": lambda images: graphed(model, images), "compile": compiled}
    with torch.inference_mode():
        if options.compile_only:
            for batch in options.batch:
                compiled(images_of(batch))()
            torch.cuda.synchronize()
            return 0
        failures = 0
        for mode, prepare in modes.items():
            for batch in options.batch:
                cell = {"kind": "PyTorch's inference", "mode": mode, "precision": options.precision, "batch": batch}
                try:
                    say(**cell, **measure(prepare(images_of(batch)), batch), version=torch.__version__)
                except Exception as error:  # one cell; the others are worth as much as before
                    print(f"{mode}, batch {batch}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                    failures += 1
    return 1 if failures else 0


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("logits").add_argument("folder", type=pathlib.Path)
    inference = commands.add_parser("inference")
    inference.add_argument("--precision", choices=TYPES, required=True)
    inference.add_argument("--weights", required=True)
    inference.add_argument("--batch", type=int, nargs="+", required=True)
    inference.add_argument("--compile-only", action="store_true")
    options = parser.parse_args()
    if options.command == "logits":
        compare_logits(options.folder)
        return 0
    return measure_modes(options)


if __name__ == "__main__":
    sys.exit(main())
