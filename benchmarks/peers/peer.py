"""A peer's side of `scripts/bench peers`: loads a graph, answers one batch, and times itself whenever it is told to.

usage: peer.py RUNTIME --onnx FILE --input FILE --output FILE --shape SHAPE --threads N [--precision P --calibration FILE]

RUNTIME is one of onnxruntime, openvino, torch-eager, torch-jit, torch-compile. In int8 it is calibrated on raw images in a file:
OpenVINO by NNCF, ONNX Runtime by its static quantization (QDQ, per channel, u8 and s8). The protocol is that of tenon.cpp: one line
of JSON once the batch's results are written, with the milliseconds of loading and of the first call; then for each line "time N"
the milliseconds of N calls, for "turns N" those of N calls of this and of a second model, one after the other, and for "both N" the
same with both at once. With 0 threads the runtime decides.
"""

import argparse
import json
import os
import pathlib
import sys
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("peer.py", may_install=False, numpy="numpy")

import numpy  # noqa: E402


def quantize_for_onnxruntime(path, samples):
    """Quantizes a graph by its own tool; returns the new file's path."""
    python_packages.require("peer.py onnxruntime", may_install=False, onnx="onnx")
    from onnxruntime import quantization
    from onnxruntime.quantization.shape_inference import quant_pre_process

    prepared, quantized = path + ".prepared.onnx", path + ".int8.onnx"
    quant_pre_process(path, prepared, skip_symbolic_shape=True)  # the graph states all shapes
    import onnx

    name = onnx.load(prepared).graph.input[0].name

    class Reader(quantization.CalibrationDataReader):
        def __init__(self):
            self.left = iter(samples)

        def get_next(self):
            image = next(self.left, None)
            return None if image is None else {name: image}

    quantization.quantize_static(
        prepared,
        quantized,
        Reader(),
        quant_format=quantization.QuantFormat.QDQ,
        per_channel=True,
        activation_type=quantization.QuantType.QUInt8,
        weight_type=quantization.QuantType.QInt8,
    )
    return quantized


def load_onnxruntime(path, threads, images, precision, samples):
    python_packages.require("peer.py onnxruntime", may_install=False, onnxruntime="onnxruntime")
    import onnxruntime

    if precision == "bfloat16":
        sys.exit("ONNX Runtime has no bfloat16 on CPUs")
    if precision == "int8":
        path = quantize_for_onnxruntime(path, samples)

    options = onnxruntime.SessionOptions()
    if threads:
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return f"ONNX Runtime {onnxruntime.__version__}", lambda: session.run(None, {name: images})[0]


def load_openvino(path, threads, images, precision, samples):
    python_packages.require("peer.py openvino", may_install=False, openvino="openvino")
    import openvino

    model = path
    if precision == "int8":
        python_packages.require("peer.py openvino", may_install=False, nncf="nncf")
        import nncf

        model = nncf.quantize(openvino.Core().read_model(path), nncf.Dataset(samples), subset_size=len(samples))
    # Without the hint OpenVINO would compute in bf16 on all processors that have its instructions.
    properties = {
        **({"INFERENCE_NUM_THREADS": threads} if threads else {}),
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "bf16" if precision == "bfloat16" else "f32",
    }
    request = openvino.Core().compile_model(model, "CPU", properties).create_infer_request()
    return f"OpenVINO {openvino.__version__.split('-')[0]}", lambda: request.infer([images], share_outputs=True)[0]


def load_torch(path, threads, images, how, precision):
    if precision == "int8":
        sys.exit("PyTorch is not measured in int8")
    python_packages.require(f"peer.py torch-{how}", may_install=False, torch="torch", onnx="onnx")
    import torch

    from torch_graph import Graph

    if threads and torch.get_num_interop_threads() != 1:  # can be set once
        torch.set_num_interop_threads(1)
    if threads:
        torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    module = Graph(path).eval().to(memory_format=torch.channels_last)
    batch = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    half = torch.autocast("cpu", torch.bfloat16, enabled=precision == "bfloat16", cache_enabled=how != "jit")
    with torch.inference_mode(), half:
        if how == "jit":
            module = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, batch)))
        elif how == "compile":
            module = torch.compile(module, options={"freezing": True, "cpp_wrapper": False})

    def run():
        with torch.inference_mode(), half:
            return module(batch).float().numpy()

    return f"PyTorch {torch.__version__.split('+')[0]} {how}", run


def milliseconds(function):
    start = time.perf_counter()
    function()
    return 1000 * (time.perf_counter() - start)


def at_once(first, second):
    other = threading.Thread(target=second)
    other.start()
    first()
    other.join()


def take_stdout():
    """A stream to standard output, to which nobody else writes from now on: what runtimes say goes to standard error."""
    ours = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    return ours


def main():
    answers = take_stdout()
    parser = argparse.ArgumentParser()
    parser.add_argument("runtime")
    parser.add_argument("--onnx", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--shape", required=True, help="of the batch, for example 1,3,224,224")
    parser.add_argument("--threads", type=int, required=True)
    parser.add_argument("--precision", choices=("float32", "bfloat16", "int8"), default="float32")
    parser.add_argument("--calibration", help="raw images for int8")
    options = parser.parse_args()
    shape = [int(size) for size in options.shape.split(",")]
    images = numpy.fromfile(options.input, dtype=numpy.float32).reshape(shape)
    samples = []
    if options.calibration:  # batches as large as the graph's, the first images again where the last batch lacks some
        all_images = numpy.fromfile(options.calibration, dtype=numpy.float32).reshape(-1, *shape[1:])
        for first in range(0, len(all_images), shape[0]):
            batch = all_images[first : first + shape[0]]
            samples.append(numpy.concatenate([batch, all_images[: shape[0] - len(batch)]]))

    def load():
        if options.runtime == "onnxruntime":
            return load_onnxruntime(options.onnx, options.threads, images, options.precision, samples)
        if options.runtime == "openvino":
            return load_openvino(options.onnx, options.threads, images, options.precision, samples)
        return load_torch(options.onnx, options.threads, images, options.runtime.split("-")[1], options.precision)

    start = time.perf_counter()
    name, run = load()
    load_ms, results = 1000 * (time.perf_counter() - start), []
    first_ms = milliseconds(lambda: results.append(run()))
    numpy.ascontiguousarray(results.pop(), dtype=numpy.float32).tofile(options.output)
    print(json.dumps({"name": name, "load_ms": load_ms, "first_ms": first_ms}), file=answers, flush=True)
    second = None
    for line in sys.stdin:
        command, count = line.split()[0], int(line.split()[1])
        if command == "time":
            timed = run
        else:
            second = second or load()[1]
            second()
            timed = (lambda: (run(), second())) if command == "turns" else (lambda: at_once(run, second))
        print(json.dumps([milliseconds(timed) for _ in range(count)]), file=answers, flush=True)


if __name__ == "__main__":
    main()
