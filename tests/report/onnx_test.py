#!/usr/bin/env python3
"""ONNX files of tenon's networks, read by a program of its own (onnx_file.py): the graphs have the operators of the
libraries' networks, the weights are the parameters byte for byte, and the graphs compute what the models compute. Those of
networks in 8-bit integers give the models' answers, and what is between their results is less than what rounding to bytes
changes.

    tests/report/onnx_test.py [PROGRAM]
    tests/report/onnx_test.py --runtime [PROGRAM]

PROGRAM is tenon_onnx_networks, build/ci's without one. With --runtime the files are checked by onnx.checker and run by ONNX
Runtime instead. What this Python lacks of numpy, onnx and onnxruntime is installed into build/python/onnx_test.py; with
TENON_NO_INSTALL=1, as CTest runs it, it is not, and the test is skipped (77).
"""
import argparse
import collections
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "scripts"), str(pathlib.Path(__file__).parent)]

import python_packages  # noqa: E402

RUNTIME = {"onnx": "onnx", "onnxruntime": "onnxruntime"} if "--runtime" in sys.argv[1:] else {}
python_packages.require("onnx_test.py", numpy="numpy", **RUNTIME)

import numpy  # noqa: E402

import onnx_file  # noqa: E402
import safetensors_file  # noqa: E402

TOLERANCE = 1e-5  # of the largest result
# Of networks in integers, as a share of their own distance from floats. A sum that differs in its last bit may be rounded to
# another byte, which moves many sums of the next layer a little, and rounding makes whole steps of some of these: after some
# layers, results are as far apart as those of two roundings, 1.4. What has few layers has almost the model's results.
INTEGERS = {"int8_bytes": 1e-3, "int8_bytes_added": 1e-3, "int8_floats_added": 1e-3, "int8_flat_map": 1e-3, "int8_mixed": 0.5,
            "int8_preactivated": 1.5, "int8_postactivated": 1.5}

# Convolutions, norms, ReLUs, additions of the networks as their papers and libraries have them.
EXPECTED = {
    "resnet50v2": {"Conv": 53, "BatchNormalization": 49, "Relu": 49, "Add": 16, "MaxPool": 4, "Gemm": 1},
    "resnet50": {"Conv": 53, "BatchNormalization": 53, "Relu": 49, "Add": 16, "MaxPool": 1, "Gemm": 1},
    "resnet18": {"Conv": 20, "BatchNormalization": 20, "Relu": 17, "Add": 8, "MaxPool": 1, "Gemm": 1},
    "keras_resnet50v2": {"Conv": 53, "BatchNormalization": 49, "Relu": 49, "Add": 16, "MaxPool": 4, "Pad": 1},
    "cifar_resnet20": {"Conv": 19, "BatchNormalization": 19, "Relu": 19, "Add": 9, "Slice": 2, "Pad": 2, "Gemm": 1},
    "nothing": {"Identity": 1},
    # One QuantizeLinear per value of bytes, and a DequantizeLinear for each of these and for the weights that meet them.
    "int8_bytes": {"Conv": 2, "Gemm": 1, "BatchNormalization": 0, "Relu": 3, "QuantizeLinear": 3, "DequantizeLinear": 6},
    "int8_flat_map": {"Conv": 2, "Flatten": 1, "QuantizeLinear": 2, "DequantizeLinear": 4},
}


def worst(got, expected):
    """The largest difference as a share of the largest value; infinite where shapes differ or a number is none."""
    if got.shape != expected.shape or not numpy.isfinite(got).all():
        return float("inf")
    return float(numpy.abs(got - expected).max() / numpy.abs(expected).max())


def distance(got, tensors):
    """What is between a graph's results and those of the model in integers, as a share of what is between these and floats."""
    expected = tensors["output"].astype(numpy.float64)
    if got.shape != expected.shape or not numpy.isfinite(got).all():
        return float("inf")
    assert (got.argmax(1) == expected.argmax(1)).all(), "the model's answers"
    return float(numpy.linalg.norm(got - expected) / numpy.linalg.norm(tensors["output_of_floats"] - expected))


def check_codes(model):
    """Codes of weights are symmetric, and the largest one of each output channel is 127."""
    codes = {name: array for name, array in model.initializers.items() if array.dtype == numpy.int8 and array.ndim > 1}
    assert codes, "weights are codes"
    for name, array in codes.items():
        largest = numpy.abs(array.reshape(len(array), -1).astype(int)).max(1)
        assert (largest == 127).all(), f"the largest codes of {name} are {largest}"


def check(name, path, tensors):
    """The error of the file's graph, after everything else in it was compared."""
    model = onnx_file.OnnxFile(path)
    assert model.ir_version == 8 and model.operator_set == ("", 17) and model.producer == "tenon", "head of the file"
    assert model.name == name, model.name
    counts = collections.Counter(node.operator for node in model.nodes)
    for operator, count in EXPECTED.get(name, {}).items():
        assert counts[operator] == count, f"{counts[operator]} {operator}, expected {count}"
    assert len({node.name for node in model.nodes}) == len(model.nodes), "nodes have names of their own"
    for key, array in tensors.items() if name not in INTEGERS else ():
        if key in ("input", "output"):
            continue
        found = model.initializers[key]
        assert found.shape == array.shape and found.tobytes() == array.tobytes(), f"the bytes of {key}"
    (input_name, shape), = model.inputs
    (output_name, _), = model.outputs
    assert (input_name, output_name) == ("input", "output")
    images = tensors["input"].shape[0]
    assert shape == [images if shape[0] != "batch" else "batch", *tensors["input"].shape[1:]], shape
    if name not in INTEGERS:
        return worst(model.run(tensors["input"]), tensors["output"])
    check_codes(model)
    return distance(model.run(tensors["input"]), tensors)


def check_runtime(name, path, tensors):
    import onnx
    import onnxruntime
    onnx.checker.check_model(str(path), full_check=True)
    settings = onnxruntime.SessionOptions()
    # Without it sums of products saturate on processors of x86 that lack VNNI.
    settings.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(str(path), settings, providers=["CPUExecutionProvider"])
    (output,) = session.run(None, {"input": tensors["input"]})
    return distance(output, tensors) if name in INTEGERS else worst(output, tensors["output"])


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", nargs="?", type=pathlib.Path, default=ROOT / "build/ci/tests/report/tenon_onnx_networks")
    parser.add_argument("--runtime", action="store_true", help="check with onnx.checker, run in ONNX Runtime")
    options = parser.parse_args()
    program, with_runtime = options.program.resolve(), options.runtime
    if not program.exists():
        parser.error(f"{program} is missing: cmake --preset ci && cmake --build --preset ci --target tenon_onnx_networks")
    names = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    if missing := sorted({*EXPECTED, *INTEGERS} - set(names)):
        parser.error(f"expected tenon_onnx_networks, found {program}, which doesn't know {missing[0]}")
    failed = []
    for name in names:
        with tempfile.TemporaryDirectory() as folder:
            subprocess.run([program, name, folder], check=True)
            path = pathlib.Path(folder) / f"{name}.onnx"
            tensors, _ = safetensors_file.read(path.with_suffix(".safetensors"))
            try:
                error = (check_runtime if with_runtime else check)(name, path, tensors)
            except (AssertionError, KeyError, ValueError) as problem:
                print(f"{name:24} FAILED: {problem!r}")
                failed.append(name)
                continue
            what = "what rounding to bytes changes" if name in INTEGERS else "the largest result"
            print(f"{name:24} error {error:.2e} of {what}", flush=True)
            if not error <= INTEGERS.get(name, TOLERANCE):
                failed.append(name)
    print(f"{len(names) - len(failed)} of {len(names)} networks are right", f"; wrong: {failed}" if failed else "")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
