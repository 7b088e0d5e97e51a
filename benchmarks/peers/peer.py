"""A peer's side of `scripts/bench peers`: loads a graph, answers one batch, and times itself whenever it is told to.

usage: peer.py RUNTIME --onnx FILE --input FILE --output FILE --batch N --threads N

RUNTIME is one of onnxruntime, openvino, torch-eager, torch-jit, torch-compile. The protocol is that of tenon.cpp: one line
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


def load_onnxruntime(path, threads, images):
    python_packages.require("peer.py onnxruntime", may_install=False, onnxruntime="onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return f"ONNX Runtime {onnxruntime.__version__}", lambda: session.run(None, {name: images})[0]


def load_openvino(path, threads, images):
    python_packages.require("peer.py openvino", may_install=False, openvino="openvino")
    import openvino

    # The hint makes OpenVINO compute in fp32 on processors with bf16 instructions too.
    properties = {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": "f32",
    }
    request = openvino.Core().compile_model(path, "CPU", properties).create_infer_request()
    return f"OpenVINO {openvino.__version__.split('-')[0]}", lambda: request.infer([images], share_outputs=True)[0]


def load_torch(path, threads, images, how):
    python_packages.require(f"peer.py torch-{how}", may_install=False, torch="torch", onnx="onnx")
    import torch

    from torch_graph import Graph

    torch.set_num_threads(threads)
    torch.set_num_interop_threads(1)
    torch.set_flush_denormal(True)
    module = Graph(path).eval().to(memory_format=torch.channels_last)
    batch = torch.from_numpy(images).contiguous(memory_format=torch.channels_last)
    with torch.inference_mode():
        if how == "jit":
            module = torch.jit.optimize_for_inference(torch.jit.freeze(torch.jit.trace(module, batch)))
        elif how == "compile":
            module = torch.compile(module, options={"freezing": True, "cpp_wrapper": False})

    def run():
        with torch.inference_mode():
            return module(batch).numpy()

    return f"PyTorch {torch.__version__.split('+')[0]} {how}", run


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("runtime")
    parser.add_argument("--onnx", required=True)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--shape", required=True, help="of the batch, for example 1,3,224,224")
    parser.add_argument("--threads", type=int, required=True)
    options = parser.parse_args()
    shape = [int(size) for size in options.shape.split(",")]
    images = numpy.fromfile(options.input, dtype=numpy.float32).reshape(shape)
    if options.runtime == "onnxruntime":
        name, run = load_onnxruntime(options.onnx, options.threads, images)
    elif options.runtime == "openvino":
        name, run = load_openvino(options.onnx, options.threads, images)
    else:
        name, run = load_torch(options.onnx, options.threads, images, options.runtime.split("-")[1])
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
