"""PyTorch's side of `scripts/gpu_check`: the listing's network with tenon's weights.

usage: pytorch.py logits FOLDER
           compare what `gpu answer FOLDER` wrote with PyTorch in 64 bits, on the CPU
       pytorch.py step FOLDER
           compare what `gpu step FOLDER` wrote with a training step in 64 bits, on the CPU
       pytorch.py inference --precision P --weights FILE --batch N... [--compile-only]
           measure eager (channels_last), eager in a CUDA graph, and torch.compile
       pytorch.py training --precision P --weights FILE --batch N... [--modes M...] [--compile-only]
           measure training steps, eager (channels_last, with autocast in 16 bits) and with torch.compile
"""

import argparse
import json
import pathlib
import statistics
import sys
import time

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/parity/oracles")]

import python_packages  # noqa: E402

python_packages.require("pytorch.py", may_install=False, numpy="numpy", torch="torch")

import numpy  # noqa: E402
import torch  # noqa: E402

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


def compare_step(folder):
    """Every number is a part of the tensor's largest value, as in training_cell.hpp, which says why."""
    settings = json.loads((folder / "step.json").read_text())
    model = load(folder / "step_weights.safetensors").double().train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    images = torch.from_numpy(numpy.fromfile(folder / "step_images.raw", numpy.float32).reshape(-1, 3, 224, 224)).double()
    labels = torch.from_numpy(numpy.fromfile(folder / "labels.raw", numpy.int32)).long()
    optimizer = torch.optim.SGD(model.parameters(), lr=settings["rate"], momentum=settings["momentum"],
                                weight_decay=settings["weight_decay"])
    logits = model(images)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    gradients = {name: parameter.grad.clone() for name, parameter in model.named_parameters() if name in settings["compared"]}
    optimizer.step()
    after = model.state_dict()
    found_gradients, found_after = (
        {name: torch.from_numpy(array.copy()).double() for name, array in safetensors_file.read(folder / file)[0].items()}
        for file in ("gradients.safetensors", "updated.safetensors"))
    found_logits = torch.from_numpy(numpy.fromfile(folder / "step_logits.raw", numpy.float32)).double()

    def report(what, error, bound):
        say(kind="step", what=what, network="ResNet50V2", precision=settings["precision"], batch=len(images),
            against="PyTorch in 64 bits", error=error if numpy.isfinite(error) else None, bound=bound)

    def worst(names, found, expected, least, rounding=lambda name: 0):
        errors = []
        for name in names:
            off = ((found(name) - expected(name)).abs() - rounding(name)).clamp(min=0).max()
            errors.append(off / max(least, expected(name).abs().max()))
        return float(torch.stack(errors).max())  # which passes a NaN on

    least = 1e-3 * float(max(gradient.abs().max() for gradient in gradients.values()))
    statistics = [name for name in before if "running" in name]
    expected = logits.detach().flatten()
    report("logits", float((found_logits - expected).abs().max() / expected.abs().max()), settings["logits_bound"])
    report("loss", abs(settings["loss"] - loss.item()) / (1 + abs(loss.item())), settings["bound"] / 10)
    report("gradients", worst(gradients, found_gradients.get, gradients.get, least), settings["bound"])
    report("changes of parameters",
           worst(gradients, lambda name: found_after[name] - before[name], lambda name: after[name] - before[name],
                 settings["rate"] * least, lambda name: 2**-23 * after[name].abs()), settings["bound"])
    report("running statistics", worst(statistics, found_after.get, after.get, 1e-3), settings["bound"])


def synchronize():
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def measure(run, runs):
    """Milliseconds of a call, in rounds of a few, measured as tenon measures itself (cell.hpp)."""
    for _ in range(5):
        run()
    synchronize()
    times, begin = [], time.perf_counter()
    while len(times) < 30 or (len(times) < 300 and time.perf_counter() - begin < 1.5):
        start = time.perf_counter()
        for _ in range(runs):
            run()
        synchronize()
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


def measure_cells(kind, options, prepare, runs):
    """A finding for each mode and batch: `prepare(mode, batch)` gives what is timed. The exit status."""
    failures = 0
    for mode in options.modes:
        for batch in options.batch:
            cell = {"kind": f"PyTorch's {kind}", "mode": mode, "precision": options.precision, "batch": batch}
            try:
                say(**cell, **measure(prepare(mode, batch), runs(batch)), version=torch.__version__)
            except Exception as error:  # one cell; the others are worth as much as before
                print(f"{mode}, batch {batch}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
                failures += 1
    return 1 if failures else 0


def choose_arithmetic(options):
    torch.backends.cudnn.benchmark = True
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = options.precision == "tf32"


def training_step(options, mode, batch):
    """A function that does one training step: what tenon's graph holds, on a batch that the device has."""
    device, data_type = options.device, TYPES[options.precision]
    model = load(options.weights).to(device, memory_format=torch.channels_last).train()
    on_device = device == "cuda"
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9, weight_decay=1e-4,
                                **({"fused": True} if on_device else {}))
    # Before 2.3 PyTorch has it for CUDA alone.
    new_scaler = getattr(torch.amp, "GradScaler", None) or torch.cuda.amp.GradScaler
    scaler = new_scaler(enabled=on_device and data_type == torch.float16)
    images = (torch.rand(batch, 3, options.image, options.image, device=device) * 2 - 1).to(
        memory_format=torch.channels_last)
    labels = torch.arange(batch, device=device) % 1000
    run = torch.compile(model, mode="reduce-overhead", dynamic=False) if mode == "compile" else model

    def step():
        optimizer.zero_grad(set_to_none=True)
        with torch.autocast(device, dtype=data_type, enabled=data_type != torch.float32):
            loss = torch.nn.functional.cross_entropy(run(images), labels)
        scaler.scale(loss).backward()
        scaler.step(optimizer)
        scaler.update()

    return step


def measure_training(options):
    choose_arithmetic(options)
    if options.compile_only:
        for batch in options.batch:
            step = training_step(options, "compile", batch)
            for _ in range(3):  # the last one is recorded as a CUDA graph
                step()
        synchronize()
        return 0
    return measure_cells("training", options, lambda mode, batch: training_step(options, mode, batch), lambda batch: 2)


def measure_inference(options):
    choose_arithmetic(options)
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
        return measure_cells("inference", options, lambda mode, batch: modes[mode](images_of(batch)),
                             lambda batch: 1 if batch <= 8 else 10)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    for name in ("logits", "step"):
        commands.add_parser(name).add_argument("folder", type=pathlib.Path)
    for name, modes in (("inference", ["eager", "graph", "compile"]), ("training", ["eager", "compile"])):
        command = commands.add_parser(name)
        command.add_argument("--precision", choices=TYPES, required=True)
        command.add_argument("--weights", required=True)
        command.add_argument("--batch", type=int, nargs="+", required=True)
        command.add_argument("--modes", choices=modes, nargs="+", default=modes)
        command.add_argument("--compile-only", action="store_true")
        if name == "training":  # smaller and on the CPU: to see that it works
            command.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
            command.add_argument("--image", type=int, default=224)
    options = parser.parse_args()
    if options.command in ("logits", "step"):
        {"logits": compare_logits, "step": compare_step}[options.command](options.folder)
        return 0
    return {"inference": measure_inference, "training": measure_training}[options.command](options)


if __name__ == "__main__":
    sys.exit(main())
