"""`scripts/bench serve`: throughput and latencies of the example serve, measured by wrk over 1 to 64 connections.

Each row is a fresh load on the same server: images as PNG files to /classify, or preprocessed ones, as bytes, to the Open
Inference Protocol's infer. Any answer other than 200, and any error of a connection, is a failure of the measurement.
"""

import argparse
import array
import json
import pathlib
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKIPPED = 77
MODEL = "fashion_mnist"
PIXELS = 28 * 28

SCRIPT = """
local file = io.open("{body}", "rb")
wrk.method = "POST"
wrk.body = file:read("*all")
{headers}
done = function(summary, latency, requests)
  local e = summary.errors
  io.stderr:write(string.format('{{"requests":%d,"seconds":%f,"p50":%f,"p99":%f,"errors":%d}}',
    summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
    e.connect + e.read + e.write + e.status + e.timeout))
end
"""


def loads(folder):
    """For each kind of load its path and the script that wrk runs."""
    noise = random.Random(1)
    values = array.array("f", (noise.uniform(-1, 1) for _ in range(PIXELS)))
    document = json.dumps({"inputs": [{"name": "input", "datatype": "FP32", "shape": [1, 1, 28, 28],
                                       "parameters": {"binary_data_size": 4 * PIXELS}}],
                           "outputs": [{"name": "logits", "parameters": {"binary_data": True}}]}).encode()
    (folder / "tensor").write_bytes(document + values.tobytes())
    shutil.copy(ROOT / "examples/data/images/9_ankle_boot.png", folder / "image")
    kinds = {"image": ("/classify", ""),
             "tensor": (f"/v2/models/{MODEL}/infer", f'wrk.headers["Inference-Header-Content-Length"] = "{len(document)}"')}
    result = {}
    for name, (path, headers) in kinds.items():
        script = folder / f"{name}.lua"
        script.write_text(SCRIPT.format(body=folder / name, headers=headers))
        result[name] = (path, script)
    return result


def measure(address, path, script, connections, seconds):
    threads = min(connections, 2)
    done = subprocess.run(["wrk", f"-t{threads}", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s", "-s", script,
                           address + path], capture_output=True, text=True, check=False)
    found = re.search(r"\{.*\}", done.stderr)
    if done.returncode != 0 or not found:
        sys.exit(f"bench: wrk failed: {done.stdout}{done.stderr}")
    return json.loads(found[0])


def main(arguments, build):
    """`build` builds serve and returns its path."""
    parser = argparse.ArgumentParser(prog="scripts/bench serve", description=__doc__)
    parser.add_argument("--program", type=pathlib.Path, help="a serve that is built already")
    parser.add_argument("--connections", type=int, action="append", help="default: 1, 4, 16 and 64")
    parser.add_argument("--seconds", type=int, default=10, help="of each row (default: %(default)s)")
    parser.add_argument("--json", metavar="FILE", help="write the table as JSON too")
    options, of_serve = parser.parse_known_args(arguments)
    if shutil.which("wrk") is None:
        print("SKIPPED: wrk (Debian: wrk) is absent, so nothing was measured.")
        return SKIPPED
    program = options.program or build()
    rows = []
    with tempfile.TemporaryDirectory() as name:
        server = subprocess.Popen([program, "--port", "0", *of_serve], stdout=subprocess.PIPE, text=True)
        try:
            found = re.search(r"http://\S+(?=/$)", server.stdout.readline().strip())
            if not found:
                sys.exit(f"bench: {program} did not start")
            print("| load | connections | requests/s | p50 ms | p99 ms | errors |\n| --- | ---: | ---: | ---: | ---: | ---: |")
            for load, (path, script) in loads(pathlib.Path(name)).items():
                for connections in options.connections or (1, 4, 16, 64):
                    measure(found[0], path, script, connections, 1)
                    row = measure(found[0], path, script, connections, options.seconds)
                    rows.append({"load": load, "connections": connections, **row})
                    print(f"| {load} | {connections} | {row['requests'] / row['seconds']:.0f} | {row['p50']:.2f} | {row['p99']:.2f} "
                          f"| {row['errors']} |", flush=True)
        finally:
            server.send_signal(signal.SIGTERM)
            status = server.wait()
    if options.json:
        pathlib.Path(options.json).write_text(json.dumps(rows, indent=2) + "\n")
    errors = sum(row["errors"] for row in rows)
    if errors or status != 0:
        print(f"bench: {errors} errors; serve ended with status {status}", file=sys.stderr)
        return 1
    return 0
