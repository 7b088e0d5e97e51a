"""PyTorch's side of scripts/gpu_check, on the CPU: comparisons find right answers right and wrong ones wrong, training is timed."""

import json
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(sys.argv[1])
try:
    import numpy
    import torch
except ImportError as missing:
    print(f"SKIPPED: {missing}")
    sys.exit(77)

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/parity/oracles")]
import safetensors_file  # noqa: E402
import seeded  # noqa: E402
from resnet50v import ResNet50V  # noqa: E402


def run_side(*arguments):
    command = [sys.executable, "-B", ROOT / "benchmarks/cuda/pytorch.py", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


def compare(command, folder):
    run = run_side(command, folder)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


def write_step(folder, model):
    """What `gpu step` writes, by PyTorch in 32 bits; the tensors that were written, by file."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, torch.nn.BatchNorm2d):  # away from kinks: compared_parameters_of in training_cell.hpp
                module.bias.copy_(6 * module.weight * module.bias.sign())
    before = {name: tensor.clone() for name, tensor in model.state_dict().items() if "num_batches" not in name}
    images = torch.from_numpy(seeded.network_input(1, (2, 3, 224, 224)))
    images.numpy().tofile(folder / "step_images.raw")
    labels = torch.arange(7, 7 + len(images))
    labels.numpy().astype(numpy.int32).tofile(folder / "labels.raw")
    optimizer = torch.optim.SGD(model.parameters(), lr=1, momentum=0.9, weight_decay=1e-4)
    logits = model.train()(images)
    loss = torch.nn.functional.cross_entropy(logits, labels)
    loss.backward()
    optimizer.step()
    logits.detach().numpy().tofile(folder / "step_logits.raw")
    settings = {"precision": "fp32", "rate": 1, "momentum": 0.9, "weight_decay": 1e-4, "loss": loss.item(),
                "logits_bound": 2e-5, "bound": 1e-4,
                "compared": [name for name, _ in model.named_parameters() if name != "conv1.conv.weight"]}
    (folder / "step.json").write_text(json.dumps(settings))
    safetensors_file.write(folder / "step_weights.safetensors", {name: tensor.numpy() for name, tensor in before.items()})
    tensors = {"gradients": {name: parameter.grad.numpy() for name, parameter in model.named_parameters()},
               "updated": {name: tensor.numpy() for name, tensor in model.state_dict().items() if "num_batches" not in name}}
    for name, arrays in tensors.items():
        safetensors_file.write(folder / f"{name}.safetensors", arrays)
    return tensors


def check_steps(folder, model):
    names = ["logits", "loss", "gradients", "changes of parameters", "running statistics"]
    tensors = write_step(folder, model)
    findings = compare("step", folder)
    assert [f["what"] for f in findings] == names, findings
    assert all(f["error"] <= f["bound"] for f in findings), findings
    for wrong in (0.01, numpy.nan):
        for file, tensor in (("gradients", "conv3.conv.0.conv2.0.weight"), ("updated", "conv3.conv.0.conv2.0.weight"),
                             ("updated", "post.bn.running_var")):
            changed = tensors[file][tensor].copy()
            # Differences are parts of the gradient, which with a rate of 1 is the change; of statistics themselves.
            scale = tensors["gradients"][tensor] if "weight" in tensor else changed
            changed.flat[3] += wrong * numpy.abs(scale).max()
            tensors[file] = {**tensors[file], tensor: changed}
            safetensors_file.write(folder / f"{file}.safetensors", tensors[file])
        errors = [f["error"] for f in compare("step", folder)]
        assert all(error <= 1e-5 for error in errors[:2]), errors
        assert all(error is None if wrong != wrong else 0.009 < error < 0.011 for error in errors[2:]), errors


def check_training(folder):
    run = run_side("training", "--precision", "bf16", "--weights", folder / "weights.safetensors", "--batch", "2",
                   "--modes", "eager", "--device", "cpu", "--image", "32")
    assert run.returncode == 0, run.stderr
    cells = [json.loads(line) for line in run.stdout.splitlines()]
    assert [(c["kind"], c["mode"], c["precision"], c["batch"]) for c in cells] == [
        ("PyTorch's training", "eager", "bf16", 2)], cells
    assert all(c["ms"] >= c["fastest_ms"] > 0 for c in cells), cells


with tempfile.TemporaryDirectory() as name:
    folder = pathlib.Path(name)
    model = seeded.fill(ResNet50V(classes=1000), 1).eval()
    weights = {key: value.numpy() for key, value in model.state_dict().items() if "num_batches" not in key}
    safetensors_file.write(folder / "weights.safetensors", weights)
    images = numpy.random.default_rng(1).uniform(-1, 1, (1, 3, 224, 224)).astype(numpy.float32)
    images.tofile(folder / "images.raw")
    with torch.no_grad():
        logits = model(torch.from_numpy(images)).numpy()
    logits.tofile(folder / "fp32.raw")
    wrong = logits.copy()
    wrong[0, 7] += numpy.abs(logits).max() / 50
    wrong.tofile(folder / "bf16.raw")
    wrong[0, 7] = numpy.nan
    wrong.tofile(folder / "fp16.raw")
    (folder / "bounds.json").write_text('{"fp32": 1e-5, "bf16": 0.06, "fp16": 0.01}')
    right, off, undefined = compare("logits", folder)
    assert right["error"] <= right["bound"], right
    assert 0.019 < off["error"] < 0.021, off
    assert undefined["error"] is None, undefined
    check_steps(folder, model)
    check_training(folder)
    del weights["post.fc.bias"]
    safetensors_file.write(folder / "weights.safetensors", weights)
    run = run_side("logits", folder)
    assert run.returncode != 0 and "does not fit the listing: without ['post.fc.bias']" in run.stderr, run.stderr
print("PyTorch's side of gpu_check compares as it should")
