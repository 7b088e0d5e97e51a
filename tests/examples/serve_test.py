"""What serve answers, refuses and counts, and how it ends; with Fashion-MNIST's network, whose weights are in the repository.

    python3 serve_test.py SERVE SOURCE_FOLDER CLASSIFY
"""
import array
import concurrent.futures
import contextlib
import gzip
import http.client
import json
import pathlib
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time
import unittest
import zlib

SERVE, SOURCE, CLASSIFY = sys.argv.pop(1), pathlib.Path(sys.argv.pop(1)), sys.argv.pop(1)
import json_schema

IMAGES = SOURCE / "examples/data/images"
IMAGE = (IMAGES / "9_ankle_boot.png").read_bytes()
INFER = "/v2/models/fashion_mnist/infer"
PIXELS = 28 * 28


class Server:
    """A running serve, at a free port."""

    def __init__(self, *arguments):
        self.process = subprocess.Popen([SERVE, "--port", "0", "--threads", "1", *arguments], stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE, text=True)
        line = self.process.stdout.readline()
        found = re.fullmatch(r"serve: fashion_mnist at http://127\.0\.0\.1:(\d+)/\n", line)
        if not found:
            raise AssertionError(f"expected serve's address, found {line!r} and {self.process.communicate()}")
        self.port = int(found[1])

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.end()

    def end(self, number=signal.SIGTERM):
        """Stops the server; its status and what it printed."""
        if self.process.returncode is None and self.process.poll() is None:
            self.process.send_signal(number)
        output, errors = self.process.communicate(timeout=60)
        return self.process.returncode, output + errors

    def connect(self):
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)

    def ask(self, method, path, body=None, headers={}):
        """Status, headers and body of an answer."""
        connection = self.connect()
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def get(self, path):
        status, _, body = self.ask("GET", path)
        return status, body.decode()

    def sentence(self, method, path, body=None, headers={}):
        """Status and sentence of an error."""
        status, found, answer = self.ask(method, path, body, headers)
        assert found["Content-Type"] == "application/json", found
        document = json.loads(answer)
        assert list(document) == ["error"] and len(document["error"]) > 20, document
        return status, document["error"]

    def raw(self, data, and_no_more=False):
        """What the server sends after these bytes until it closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=60) as connection:
            connection.sendall(data)
            if and_no_more:
                connection.shutdown(socket.SHUT_WR)
            parts = []
            try:
                while part := connection.recv(65536):
                    parts.append(part)
            except ConnectionResetError:
                pass
            return b"".join(parts)

    def metric(self, name):
        text = self.get("/metrics")[1]
        return sum(float(line.rsplit(" ", 1)[1]) for line in text.splitlines() if line.startswith(name))


def images(count, seed):
    noise = random.Random(seed)
    return array.array("f", (noise.uniform(-2, 2) for _ in range(count * PIXELS)))


def request(values, **more):
    """An infer request, as JSON."""
    return {"inputs": [{"name": "input", "datatype": "FP32", "shape": [len(values) // PIXELS, 1, 28, 28],
                        "data": list(values)}], **more}


def floats(data):
    return array.array("f", data).tobytes()


def infer(server, values, outputs=("logits",)):
    """The bytes of the outputs, from a request and a response in JSON."""
    body = json.dumps(request(values, outputs=[{"name": name} for name in outputs]))
    status, _, answer = server.ask("POST", INFER, body)
    if status != 200:
        raise AssertionError(answer)
    return [floats(output["data"]) for output in json.loads(answer)["outputs"]]


def infer_bytes(server, values):
    """The bytes of the logits, from a request and a response with the binary data extension."""
    document = request(values, parameters={"binary_data_output": True}, outputs=[{"name": "logits"}])
    del document["inputs"][0]["data"]
    document["inputs"][0]["parameters"] = {"binary_data_size": 4 * len(values)}
    head = json.dumps(document).encode()
    status, headers, answer = server.ask("POST", INFER, head + values.tobytes(),
                                         {"Inference-Header-Content-Length": str(len(head))})
    if status != 200:
        raise AssertionError(answer)
    size = int(headers["Inference-Header-Content-Length"])
    output = json.loads(answer[:size])["outputs"][0]
    assert output["shape"] == [len(values) // PIXELS, 10] and "data" not in output, output
    assert output["parameters"]["binary_data_size"] == len(answer) - size
    return answer[size:]


def png(width, height):
    """A gray PNG file."""
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)),
              (b"IDAT", zlib.compress(bytes((width + 1) * height), 9)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks)


def malformed(number):
    """Bytes that are no right request."""
    noise = random.Random(number)
    text = json.dumps(request(images(1, number)))
    kind = number % 12
    if kind == 0:
        return noise.randbytes(noise.randrange(1, 400))
    if kind == 1:  # a request that is cut off
        whole = f"POST {INFER} HTTP/1.1\r\nContent-Length: {len(text)}\r\n\r\n{text}".encode()
        return whole[:noise.randrange(1, len(whole) - 1)]
    if kind == 2:
        return b"GET / HTTP/9.9\r\n\r\n"
    if kind == 3:
        return b"POST /classify HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n" + noise.randbytes(50)
    if kind == 4:
        return b"GET /" + b"a" * noise.randrange(9000, 20000) + b" HTTP/1.1\r\n\r\n"
    if kind == 5:
        return b"POST /classify HTTP/1.1\r\nContent-Length: -" + str(number).encode() + b"\r\n\r\nabc"
    if kind == 6:  # an image with damage
        body = bytearray(IMAGE)
        for _ in range(20):
            body[noise.randrange(8, len(body))] = noise.randrange(256)
        body, path = bytes(body[:-20]), "/classify"
    elif kind == 7:
        body, path = noise.randbytes(noise.randrange(0, 3000)), "/explain"
    elif kind == 8:  # JSON with a damaged character
        at = noise.randrange(len(text) - 3)
        body, path = (text[:at] + "\x01\"{" + text[at + 1:]).encode(), INFER
    elif kind == 9:
        wrong = noise.choice([{}, [], None, {"inputs": 1}, {"inputs": []}, {"inputs": [[]]}, {"inputs": [{"data": {}}]},
                              {"inputs": [{"name": "input", "datatype": "FP32", "shape": [1e300, 1, 28, 28]}]},
                              {"inputs": {"a": {"data": [1, 2]}}}, {"data": [1], "inputs": [{"name": 5}]}])
        body, path = json.dumps(wrong).encode(), INFER
    elif kind == 10:
        body, path = b"[" * noise.randrange(1, 50000), INFER
    else:
        body, path = gzip.compress(bytes(1000))[:-noise.randrange(1, 12)], INFER
        return (f"POST {path} HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: {len(body)}\r\n"
                "Connection: close\r\n\r\n").encode() + body
    return f"POST {path} HTTP/1.1\r\nContent-Length: {len(body)}\r\nConnection: close\r\n\r\n".encode() + body


class Answers(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.server = Server("--batch", "4", "--wait-us", "0", "--max-body", "200000", "--max-pixels", "1000000")

    @classmethod
    def tearDownClass(cls):
        status, text = cls.server.end()
        assert status == 0 and text.endswith("serve: stopped\n"), (status, text)

    def test_images_are_classified_as_by_classify(self):
        files = sorted(IMAGES.glob("*.png"))
        printed = subprocess.run([CLASSIFY, "--json", "--top", "3", *files], check=True, capture_output=True, text=True)
        expected = json_schema.parse(printed.stdout)
        for file, image in zip(files, expected["images"], strict=True):
            status, headers, body = self.server.ask("POST", "/classify?top=3", file.read_bytes())
            self.assertEqual((status, headers["Content-Type"]), (200, "application/json"))
            document = json_schema.parse(body.decode())
            self.assertEqual(document["program"], "serve")
            self.assertEqual([one["top"] for one in document["images"]], [image["top"]])
        self.assertEqual(self.server.sentence("POST", "/classify?top=11", IMAGE)[0], 400)

    def test_maps_are_pictures(self):
        pictures = []
        for rank in (1, 2):
            status, headers, body = self.server.ask("POST", f"/explain?rank={rank}", IMAGE)
            self.assertEqual((status, headers["Content-Type"]), (200, "image/png"))
            self.assertEqual(struct.unpack(">II", body[16:24]), (2 * 224 + 2 * 8 + 16 + 14, 224))
            pictures.append(body)
        self.assertNotEqual(*pictures)

    def test_maps_are_of_the_weights_that_were_loaded(self):
        weights = (SOURCE / "examples/data/fashion_mnist.safetensors").read_bytes()
        with tempfile.TemporaryDirectory() as folder:
            path = pathlib.Path(folder) / "weights.safetensors"
            path.write_bytes(weights)
            with Server("--weights", str(path)) as server:
                self.assertEqual(server.ask("POST", "/explain", IMAGE)[0], 200)
                path.rename(path.with_suffix(".old"))
                expected = server.sentence("POST", "/explain", IMAGE)
                self.assertEqual(expected[0], 503)
                self.assertIn("restart the server", expected[1])
                self.assertNotIn(folder, expected[1])  # no business of a client's
                path.write_bytes(weights)  # others, for all that the server knows
                self.assertEqual(server.sentence("POST", "/explain", IMAGE), expected)
                self.assertEqual(server.ask("POST", "/classify", IMAGE)[0], 200)

    def test_the_protocol_describes_the_network(self):
        self.assertEqual(json.loads(self.server.get("/v2")[1])["extensions"], ["binary_tensor_data"])
        self.assertEqual(self.server.get("/v2/health/live"), (200, '{"live":true}'))
        self.assertEqual(self.server.get("/v2/health/ready")[0], 200)
        for model in ("/v2/models/fashion_mnist", "/v2/models/fashion_mnist/versions/1"):
            self.assertEqual(self.server.get(model + "/ready")[0], 200)
            metadata = json.loads(self.server.get(model)[1])
            self.assertEqual((metadata["name"], metadata["versions"]), ("fashion_mnist", ["1"]))
            self.assertEqual(metadata["inputs"], [{"name": "input", "datatype": "FP32", "shape": [-1, 1, 28, 28]}])
            self.assertEqual([(one["name"], one["shape"]) for one in metadata["outputs"]],
                             [("logits", [-1, 10]), ("probabilities", [-1, 10])])

    def test_json_and_bytes_have_the_same_bits(self):
        values = images(5, 1)
        logits, probabilities = infer(self.server, values, ("logits", "probabilities"))
        self.assertEqual(infer_bytes(self.server, values), logits)
        for i in range(5):
            self.assertEqual(infer(self.server, values[i * PIXELS:(i + 1) * PIXELS])[0], logits[40 * i:40 * i + 40])
            self.assertAlmostEqual(sum(array.array("f", probabilities[40 * i:40 * i + 40])), 1, 5)
        nested = request(values[:PIXELS], id="seven")
        nested["inputs"][0]["data"] = [[[list(values[28 * row:28 * row + 28]) for row in range(28)]]]
        answer = json.loads(self.server.ask("POST", INFER, json.dumps(nested))[2])
        self.assertEqual((answer["id"], answer["model_name"]), ("seven", "fashion_mnist"))
        self.assertEqual(floats(answer["outputs"][0]["data"]), logits[:40])
        self.assertEqual([one["name"] for one in answer["outputs"]], ["logits", "probabilities"])

    def test_wrong_requests_get_a_status_and_a_sentence(self):
        right = request(images(1, 2))

        def changed(**changes):
            return json.dumps({"inputs": [{**right["inputs"][0], **changes}]})

        for status, sentence, method, path, body, headers in (
            (404, "there is nothing at this address; there are /, /classify, ", "GET", "/v3", None, {}),
            (404, "there is nothing at this address", "POST", "/v2/models/resnet18/infer", "{}", {}),
            (405, "expected POST at this address, found GET", "GET", "/classify", None, {}),
            (405, "expected GET at this address, found POST", "POST", "/metrics", "1", {}),
            (405, "expected POST at this address, found DELETE", "DELETE", "/classify", None, {}),
            (400, "expected no body after GET", "GET", "/v2", "a body", {}),
            (411, "expected a body with its Content-Length", "POST", "/classify", None, {"Content-Length": ""}),
            (415, "found multipart/form-data", "POST", "/classify", "x", {"Content-Type": "multipart/form-data; boundary=x"}),
            (415, "Content-Encoding", "POST", "/classify", "x", {"Content-Encoding": "zstd"}),
            (400, "body: ", "POST", "/classify", b"no image", {}),
            (400, "expected JSON, found ", "POST", INFER, "{", {}),
            (400, "expected at most the body's 2 bytes", "POST", INFER, "{}", {"Inference-Header-Content-Length": "3"}),
            (400, "expected one input, an object in an array, found none", "POST", INFER, "{}", {}),
            (400, "expected an input with the name input, found \"x\"", "POST", INFER, changed(name="x"), {}),
            (400, "expected the datatype FP32, found \"INT8\"", "POST", INFER, changed(datatype="INT8"), {}),
            (400, "expected the shape [n, 1, 28, 28]", "POST", INFER, changed(shape=[1, 28, 28]), {}),
            (400, "expected 1 to 64 images in a request, found 65", "POST", INFER, changed(shape=[65, 1, 28, 28]), {}),
            (400, "expected 1568 numbers as the input's data, found 784", "POST", INFER, changed(shape=[2, 1, 28, 28]), {}),
            (400, "expected numbers as an input's data, found \"a\"", "POST", INFER, changed(data=["a"]), {}),
            (400, "expected finite numbers", "POST", INFER, changed(data=[1e39] * PIXELS), {}),
            (400, "expected JSON of at most 12 levels", "POST", INFER, "[" * 20, {}),
            (400, "expected JSON with at most 10000 keys", "POST", INFER,
             json.dumps({"parameters": {str(i): 0 for i in range(10_001)}}), {}),
            (400, "expected outputs with the names", "POST", INFER, json.dumps({**right, "outputs": [{"name": "x"}]}), {}),
        ):
            with self.subTest(sentence=sentence):
                found = self.server.sentence(method, path, body, headers)
                self.assertEqual(found[0], status, found)
                self.assertIn(sentence, found[1])

    def test_limits(self):
        too_long = bytes(200_001)
        self.assertEqual(self.server.sentence("POST", "/classify", too_long)[0], 413)
        self.assertEqual(self.server.sentence("POST", "/classify", gzip.compress(bytes(10_000_000)),
                                              {"Content-Encoding": "gzip"})[0], 413)
        parts = iter([bytes(100_000), bytes(100_000), b"1"])  # chunks
        self.assertEqual(self.server.sentence("POST", "/classify", parts)[0], 413)
        answer = self.server.raw(b"POST /classify HTTP/1.1\r\nContent-Length: 99999999999999\r\n\r\n")
        self.assertTrue(answer.startswith(b"HTTP/1.1 413 "), answer)
        status, sentence = self.server.sentence("POST", "/classify", png(1001, 1000))
        self.assertEqual(status, 413)
        self.assertIn("expected at most 1000000 pixels", sentence)
        self.assertEqual(self.server.ask("POST", "/classify", png(1000, 1000))[0], 200)
        self.assertEqual(self.server.ask("POST", "/classify", iter([IMAGE[:100], IMAGE[100:]]))[0], 200)
        self.assertEqual(self.server.ask("POST", "/classify", gzip.compress(IMAGE), {"Content-Encoding": "gzip"})[0], 200)

    def test_a_thousand_malformed_requests_change_nothing(self):
        def state():
            return (infer(self.server, images(3, 4), ("logits", "probabilities")),
                    self.server.ask("POST", "/classify", IMAGE)[2], self.server.ask("POST", "/explain", IMAGE)[2])

        before = state()
        # Requests that are cut off or broken at their beginning end with the client's connection, perhaps without an answer.
        begin_wrong = 6
        for number in range(200):  # until the memory that answers need is there
            self.server.raw(malformed(number), number % 12 < begin_wrong)
        memory = self.server.metric("process_resident_memory_bytes")
        for number in range(1000):
            answer = self.server.raw(malformed(number), number % 12 < begin_wrong)
            if answer or number % 12 >= begin_wrong:
                self.assertRegex(answer[:16], rb"HTTP/1\.1 4\d\d ", (number, malformed(number)[:200]))
        self.assertEqual(state(), before)
        self.assertLess(self.server.metric("process_resident_memory_bytes") - memory, 4e6)
        self.assertEqual(self.server.metric("serve_waiting_images"), 0)

    def test_metrics_count(self):
        def counts():
            return [self.server.metric(name) for name in (
                'serve_requests_total{path="/classify",code="200"}', 'serve_requests_total{path="/classify",code="400"}',
                "serve_errors_total", 'serve_request_seconds_count{path="/classify"}', "serve_batch_images_sum")]

        before = counts()
        self.server.ask("POST", "/classify", IMAGE)
        self.server.ask("POST", "/classify", b"no image")
        infer(self.server, images(3, 1))
        self.assertEqual([after - earlier for after, earlier in zip(counts(), before)], [1, 1, 1, 2, 4])
        for line in self.server.get("/metrics")[1].splitlines():
            self.assertRegex(line, r"^(# (HELP|TYPE) \w+ .+|\w+(\{(\w+=\"[^\"]*\",?)+\})? [0-9.e+-]+)$")

    def test_the_page_asks_nothing_of_others(self):
        status, headers, body = self.server.ask("GET", "/")
        self.assertEqual(status, 200)
        self.assertIn("default-src 'none'", headers["Content-Security-Policy"])
        page = body.decode()
        self.assertIn("<h1>fashion_mnist</h1>", page)
        self.assertNotIn("NAME", page)
        self.assertIsNone(re.search(r"https?://|src=\"|@import|url\(", page))
        for path in re.findall(r'ask\("([^"]+)"', page):
            self.assertEqual(self.server.ask("POST", path, IMAGE)[0], 200, path)

    def test_a_part_is_not_sent_alone(self):
        status, _, body = self.server.ask("GET", "/v2/health/live", headers={"Range": "bytes=0-1"})
        self.assertEqual((status, body), (200, b'{"live":true}'))

    def test_requests_after_an_error_on_the_same_connection(self):
        connection = self.server.connect()
        for path, body, status in ((INFER, "{", 400), ("/classify", b"no", 400), ("/classify", IMAGE, 200)):
            connection.request("POST", path, body)
            answer = connection.getresponse()
            answer.read()
            self.assertEqual(answer.status, status)
        connection.close()


class Load(unittest.TestCase):
    def test_batches_have_the_bits_of_images_alone(self):
        inputs = [images(1 + i % 3, 100 + i) for i in range(24)]
        with Server("--batch", "1", "--wait-us", "0") as server:
            expected = [infer_bytes(server, values) for values in inputs]
        with Server("--batch", "8", "--wait-us", "200000") as server, concurrent.futures.ThreadPoolExecutor(24) as pool:
            self.assertEqual(list(pool.map(lambda values: infer_bytes(server, values), inputs)), expected)
            self.assertEqual(server.metric("serve_batch_images_sum"), 48)
            self.assertLess(server.metric("serve_batch_images_count"), 16)
            self.assertEqual(server.metric('serve_batch_images_bucket{le="8"}'), server.metric("serve_batch_images_count"))

    def test_a_full_queue_refuses(self):
        with Server("--batch", "64", "--wait-us", "1500000", "--queue", "3") as server:
            with concurrent.futures.ThreadPoolExecutor(6) as pool:
                waiting = [pool.submit(infer, server, images(1, i)) for i in range(3)]
                while server.metric("serve_waiting_images") < 3:
                    time.sleep(0.01)
                status, headers, body = server.ask("POST", INFER, json.dumps(request(images(1, 9))))
                self.assertEqual((status, headers["Retry-After"]), (503, "1"))
                self.assertIn("3 images are waiting, at most 3 may", json.loads(body)["error"])
                self.assertEqual(len([one.result() for one in waiting]), 3)

    def test_too_many_connections_are_refused(self):
        with Server("--connections", "2") as server:
            idle = [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
            for connection in idle:  # both threads have one
                connection.sendall(b"GET /v2 HTTP/1.1\r\n\r\n")
                self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 200"))
            idle += [socket.create_connection(("127.0.0.1", server.port)) for _ in range(2)]
            time.sleep(0.1)
            status, sentence = server.sentence("GET", "/v2")
            self.assertEqual(status, 503)
            self.assertIn("all connections are in use", sentence)
            for connection in idle:
                connection.close()

    def test_connections_that_come_at_once_are_kept(self):
        with Server() as server, contextlib.ExitStack() as connections:
            server.process.send_signal(signal.SIGSTOP)  # it takes none until all are there
            try:
                # One that the system drops is tried again after a second.
                asking = [connections.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=0.9))
                          for _ in range(100)]
            finally:
                server.process.send_signal(signal.SIGCONT)
            for connection in asking:
                connection.settimeout(60)
                connection.sendall(b"GET /v2 HTTP/1.1\r\nConnection: close\r\n\r\n")
            for connection in asking:
                self.assertTrue(connection.recv(1000).startswith(b"HTTP/1.1 200"))

    def test_what_was_asked_is_answered_before_the_end(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            server = Server("--batch", "64", "--wait-us", "1000000", "--connections", "3")
            with concurrent.futures.ThreadPoolExecutor(5) as pool:
                # Three are being answered, two wait for a thread.
                asked = [pool.submit(infer, server, images(1, i)) for i in range(5)]
                while server.process.poll() is None and not asked[0].running():
                    time.sleep(0.01)
                time.sleep(0.4)
                status, text = server.end(number)
                self.assertEqual((status, len([one.result() for one in asked])), (0, 5), text)
            self.assertIn(f"stopped by {signal.Signals(number).name}", text)

    def test_a_second_signal_ends_at_once(self):
        server = Server("--batch", "64", "--wait-us", "10000000")
        connection = server.connect()
        connection.request("POST", INFER, json.dumps(request(images(1, 1))))
        while server.metric("serve_waiting_images") < 1:
            time.sleep(0.01)
        server.process.send_signal(signal.SIGINT)
        self.assertIn("stopped by SIGINT", server.process.stderr.readline())
        start = time.monotonic()
        status, _ = server.end()
        self.assertEqual(status, 128 + signal.SIGTERM)
        self.assertLess(time.monotonic() - start, 5)
        connection.close()

    def test_undefined_weights_give_no_answers(self):
        data = bytearray((SOURCE / "examples/data/fashion_mnist.safetensors").read_bytes())
        end = 8 + int.from_bytes(data[:8], "little")
        header = json.loads(data[8:end])
        name = next(name for name in header if name.endswith("fc.bias"))
        begin = end + header[name]["data_offsets"][0]
        data[begin:begin + 4] = struct.pack("<f", float("nan"))
        with tempfile.NamedTemporaryFile(suffix=".safetensors") as file:
            file.write(data)
            file.flush()
            done = subprocess.run([SERVE, "--weights", file.name], capture_output=True, text=True, timeout=60, check=False)
            self.assertEqual(done.returncode, 2)
            self.assertIn("element 0 is NaN; --allow-undefined lets it pass", done.stderr)
            with Server("--weights", file.name, "--allow-undefined") as server:
                for path in ("/classify", "/explain"):
                    self.assertEqual(server.sentence("POST", path, IMAGE),
                                     (400, "the network's results are not finite numbers; its weights or the input are wrong"))

    def test_wrong_command_lines(self):
        with Server() as server:
            for arguments, sentence in ((["--port", str(server.port)], "expected an address of this machine and a port"),
                                        (["--port", "65536"], "65535"), (["--batch", "0"], "--batch"),
                                        (["--model", "fashion"], "fashion_mnist")):
                done = subprocess.run([SERVE, *arguments], capture_output=True, text=True, timeout=60, check=False)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn(sentence, done.stderr)


if __name__ == "__main__":
    unittest.main(verbosity=2)
