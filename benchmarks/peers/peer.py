"""A peer's side of `scripts/bench peers`: loads a graph, answers one batch, and times itself whenever it is told to.

usage: peer.py RUNTIME --onnx FILE --input FILE --output FILE --shape SHAPE --threads N [--precision P --calibration FILE]

RUNTIME is one of onnxruntime, openvino, torch-eager, torch-jit, torch-compile. In int8 it is calibrated on raw images in a file:
OpenVINO by NNCF, ONNX Runtime by its static quantization (QDQ, per channel, u8 and s8). The protocol is that of tenon.cpp: one line
of JSON once the batch's results are written, then for each line "time N" the milliseconds of N calls.
"""

import argparse
import json
import pathlib
import sys
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
        "INFERENCE_NUM_THREADS": threads,
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

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
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


def main():
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
    if options.runtime == "onnxruntime":
        name, run = load_onnxruntime(options.onnx, options.threads, images, options.precision, samples)
    elif options.runtime == "openvino":
        name, run = load_openvino(options.onnx, options.threads, images, options.precision, samples)
    else:
        how = options.runtime.split("-")[1]
        name, run = load_torch(options.onnx, options.threads, images, how, options.precision)
    numpy.ascontiguousarray(run(), dtype=numpy.float32).tofile(options.output)
    print(json.dumps({"name": name}), flush=True)
    for line in sys.stdin:
        times = []
        for _ in range(int(line.split()[1])):
            start = time.perf_counter()
            run()
            times.append(1000 * (time.perf_counter() - start))
        print(json.dumps(times), flush=True)


if __name__ == "__main__":
    main()
