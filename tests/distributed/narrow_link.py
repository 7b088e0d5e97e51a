"""Trains with two processes whose machines are joined by a slow line: two network namespaces, 10 ms and 100 Mbit/s apart. By
hand, as root, with Open MPI, `ip` and /dev/net/tun:

    python3 tests/distributed/narrow_link.py build/ci/examples/train_cifar10 [--delay 0.005] [--rate 100e6]

The line is a process that reads the packets of one end and writes them to the other when they are due, as kernels need not
have netem. Prints what the line does, what the run says of computing and communicating, and fails unless the weights are those
of one process.
"""
import argparse
import collections
import contextlib
import ctypes
import fcntl
import os
import pathlib
import random
import select
import signal
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples"))
import processes  # noqa: E402

ADDRESSES = {"tenon-a": "10.77.19.1", "tenon-b": "10.77.19.2"}


# An echo of a byte, then of four million.
SERVER = """
import socket
with socket.create_server(("", 7719)) as listener:
    connection, _ = listener.accept()
    for size in (1, 4000000):
        while size > 0:
            size -= len(connection.recv(size))
        connection.sendall(b"x")
"""
CLIENT = """
import socket, sys, time
for _ in range(100):
    try:
        connection = socket.create_connection((sys.argv[1], 7719))
        break
    except ConnectionRefusedError:
        time.sleep(0.05)
seconds = []
for size in (1, 4000000):
    start = time.monotonic()
    connection.sendall(bytes(size))
    connection.recv(1)
    seconds.append(time.monotonic() - start)
print(f"the line: {1e3 * seconds[0]:.1f} ms there and back, {32 / seconds[1]:.0f} Mbit/s", flush=True)
"""


def call(*command):
    subprocess.run(command, check=True)


def open_end(space):
    """The end of a line in a namespace: a file of packets, which are those of the device `line` there."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open(f"/run/netns/{space}", encoding="utf-8") as file:
        if libc.setns(file.fileno(), 0x40000000) != 0:  # CLONE_NEWNET
            raise OSError(ctypes.get_errno(), "setns")
    end = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(end, 0x400454CA, struct.pack("16sH22x", b"line", 0x1001))  # TUNSETIFF, IFF_TUN | IFF_NO_PI
    return end


def forward(ends, delay, rate):
    """Carries packets between two ends, for ever: each is `delay` seconds on the way, after those before it have left."""
    waiting = {end: collections.deque() for end in ends}
    free = dict.fromkeys(ends, 0.0)
    while True:
        due = min((queue[0][0] for queue in waiting.values() if queue), default=None)
        timeout = None if due is None else max(0.0, due - time.monotonic())
        for end in select.select(ends, (), (), timeout)[0]:
            packet = os.read(end, 65536)
            free[end] = max(free[end], time.monotonic()) + 8 * len(packet) / rate
            waiting[end].append((free[end] + delay, packet))
        for end, other in (ends, ends[::-1]):
            while waiting[end] and waiting[end][0][0] <= time.monotonic():
                with contextlib.suppress(OSError):  # an end that is not up yet: the packet is lost
                    os.write(other, waiting[end].popleft()[1])


def connect(delay, rate):
    """Two namespaces and a process that is the line between them; its number."""
    for space in ADDRESSES:
        call("ip", "netns", "add", space)
    ready, report = os.pipe()
    line = os.fork()
    if line == 0:
        try:
            ends = [open_end(space) for space in ADDRESSES]
            os.write(report, b"x")
            forward(ends, delay, rate)
        finally:
            os._exit(1)
    os.close(report)
    if not os.read(ready, 1):
        sys.exit("narrow_link: there is no line, as /dev/net/tun can't be opened in two namespaces")
    for space, address in ADDRESSES.items():
        call("ip", "-n", space, "addr", "add", address + "/24", "dev", "line")
        for device in ("line", "lo"):
            call("ip", "-n", space, "link", "set", device, "up")
    return line


def write_cifar(folder, images):
    noise = random.Random(1)
    for file, count in [*((f"data_batch_{i}.bin", images // 5) for i in range(1, 6)), ("test_batch.bin", 20)]:
        (folder / file).write_bytes(b"".join(bytes([i % 2]) + bytes(noise.randrange(40) + 200 * (i % 2) for _ in range(3072))
                                             for i in range(count)))


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=os.path.abspath, help="train_cifar10")
    parser.add_argument("--delay", type=float, default=0.005, help="seconds, of each direction")
    parser.add_argument("--rate", type=float, default=100e6, help="bits per second")
    parser.add_argument("--images", type=int, default=200)
    parser.add_argument("--mpirun", default="mpirun")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        write_cifar(folder, options.images)
        agent = folder / "agent"  # in the place of ssh: its arguments are an address and a command
        agent.write_text("#!/bin/sh\nshift\nexec ip netns exec tenon-b sh -c \"$*\"\n")
        agent.chmod(0o755)
        arguments = ["--data", folder, "--epochs", "2", "--batch", "32", "--shards", "2", "--threads", "1"]

        def weights(run, *start):
            # The same command in a folder of its own, as the weights' file has it among its metadata.
            (folder / run).mkdir()
            done = subprocess.run([*start, options.program, *map(str, arguments), "--output", "trained"],
                                  capture_output=True, text=True, cwd=folder / run,
                                  env={**os.environ, **processes.ENVIRONMENT}, check=False)
            print(*(line for line in done.stdout.splitlines() if "sum gradients" in line), sep="\n", flush=True)
            if done.returncode != 0:
                sys.exit(f"narrow_link: the run {run} failed: {done.stdout}{done.stderr}")
            return (folder / run / "trained" / "weights.safetensors").read_bytes()

        line = None
        try:
            line = connect(options.delay, options.rate)
            with subprocess.Popen(["ip", "netns", "exec", "tenon-b", sys.executable, "-c", SERVER]):
                call("ip", "netns", "exec", "tenon-a", sys.executable, "-c", CLIENT, ADDRESSES["tenon-b"])
            two = weights("two", "ip", "netns", "exec", "tenon-a", options.mpirun, "--host", ",".join(ADDRESSES.values()),
                          "--mca", "plm_rsh_agent", agent, "--mca", "btl", "tcp,self", "--mca", "btl_tcp_if_include",
                          "10.77.19.0/24", "--mca", "oob_tcp_if_include", "10.77.19.0/24", "-n", "2")
        finally:
            if line is not None:
                os.kill(line, signal.SIGKILL)
            for space in ADDRESSES:
                subprocess.run(["ip", "netns", "del", space], check=False)
        if two != weights("one"):
            sys.exit("narrow_link: two processes ended with other weights than one")
        print("two processes over this line ended with the weights of one")
    return 0


if __name__ == "__main__":
    sys.exit(main())
