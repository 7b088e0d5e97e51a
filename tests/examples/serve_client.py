"""Asks serve as users of KServe and Triton do: with tritonclient of PyPI, which is installed into an environment of its own.

    python3 serve_client.py SERVE

Not among the tests of CI, which install nothing; serve_test.py has the same requests from Python's own library.
"""
import importlib.metadata
import pathlib
import re
import subprocess
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("serve_client.py", numpy="numpy", tritonclient="tritonclient[http]")

import numpy  # noqa: E402
import tritonclient.http as http  # noqa: E402
from tritonclient.utils import InferenceServerException  # noqa: E402

MODEL = "fashion_mnist"


def tensor(values, as_bytes):
    result = http.InferInput("input", values.shape, "FP32")
    result.set_data_from_numpy(values, binary_data=as_bytes)
    return result


def main():
    server = subprocess.Popen([sys.argv[1], "--port", "0"], stdout=subprocess.PIPE, text=True)
    try:
        address = re.search(r"http://(\S+)/", server.stdout.readline())[1]
        client = http.InferenceServerClient(address, concurrency=8)
        assert client.is_server_live() and client.is_server_ready() and client.is_model_ready(MODEL)
        assert not client.is_model_ready("resnet18")
        assert "binary_tensor_data" in client.get_server_metadata()["extensions"]
        metadata = client.get_model_metadata(MODEL, model_version="1")
        assert metadata["inputs"] == [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 28, 28]}], metadata
        values = numpy.random.default_rng(1).normal(size=(5, 1, 28, 28)).astype("float32")
        results = []
        for sends_bytes in (True, False):
            for reads_bytes in (True, False):
                outputs = [http.InferRequestedOutput(name, binary_data=reads_bytes) for name in ("logits", "probabilities")]
                answer = client.infer(MODEL, [tensor(values, sends_bytes)], outputs=outputs, request_id="five")
                assert answer.get_response()["id"] == "five"
                results.append((answer.as_numpy("logits"), answer.as_numpy("probabilities")))
        answer = client.infer(MODEL, [tensor(values, True)], request_compression_algorithm="gzip",
                              response_compression_algorithm="gzip")
        results.append((answer.as_numpy("logits"), answer.as_numpy("probabilities")))
        for logits, probabilities in results:
            assert logits.shape == probabilities.shape == (5, 10), logits.shape
            assert logits.tobytes() == results[0][0].tobytes() and probabilities.tobytes() == results[0][1].tobytes()
        waiting = [client.async_infer(MODEL, [tensor(values[i:i + 1], True)]) for i in range(5)]
        for i, one in enumerate(waiting):
            assert one.get_result().as_numpy("logits").tobytes() == results[0][0][i:i + 1].tobytes()
        try:
            client.infer(MODEL, [tensor(numpy.zeros((1, 28, 28), "float32"), True)])
            sys.exit("expected an error for a wrong shape")
        except InferenceServerException as error:
            assert "expected the shape [n, 1, 28, 28]" in error.message() and error.status() in ("400", None), error
        client.close()
    finally:
        server.terminate()
    assert server.wait() == 0
    print(f"serve_client: tritonclient {importlib.metadata.version('tritonclient')} was answered as it expects: metadata, JSON and "
          "bytes both ways, compressed, at once, and an error")


if __name__ == "__main__":
    main()
