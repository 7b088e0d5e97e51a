"""PyTorch's side of scripts/gpu_check, on the CPU: the comparison of logits finds right answers right and wrong ones wrong."""

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

sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests/reference")]
import safetensors_file  # noqa: E402
import seeded  # noqa: E402
from resnet50v import ResNet50V  # noqa: E402


def compare(folder):
    command = [sys.executable, "-B", ROOT / "benchmarks/cuda/pytorch.py", "logits", folder]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return [json.loads(line) for line in run.stdout.splitlines()]


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
    right, off, undefined = compare(folder)
    assert right["error"] <= right["bound"], right
    assert 0.019 < off["error"] < 0.021, off
    assert undefined["error"] is None, undefined
    del weights["post.fc.bias"]
    safetensors_file.write(folder / "weights.safetensors", weights)
    command = [sys.executable, "-B", ROOT / "benchmarks/cuda/pytorch.py", "logits", folder]
    run = subprocess.run(command, capture_output=True, text=True)
    assert run.returncode != 0 and "does not fit the listing: without ['post.fc.bias']" in run.stderr, run.stderr
print("PyTorch's side of gpu_check compares as it should")
