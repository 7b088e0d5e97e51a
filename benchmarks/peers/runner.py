"""What measurements beside other runtimes share: a private environment, and processes that time themselves when asked."""

import contextlib
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

import python_packages  # noqa: E402

ENVIRONMENT = ROOT / "build/peers"
SKIPPED = 77


class BenchError(Exception):
    pass


class Runner:
    """A process that times one runtime."""

    def __init__(self, command, cores, log, environment={}):
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            preexec_fn=lambda: os.sched_setaffinity(0, cores),
            env=os.environ
            | {"OMP_NUM_THREADS": str(len(cores)), "ONEDNN_DEFAULT_FPMATH_MODE": "STRICT"}
            | environment,
        )
        self.command = command
        self.facts = json.loads(self.answer())
        self.times = []

    def answer(self):
        line = self.process.stdout.readline()
        if not line:
            raise BenchError(f"{' '.join(map(str, self.command[:3]))} ended with status {self.process.wait()}")
        return line

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return json.loads(self.answer())

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def python_of_environment(packages):
    """The private environment's Python, with these packages of PyPI. Ends the program when there is no environment or numpy, which
    every measurement needs; says so when another is missing."""
    folder = python_packages.environment_folder("peers") if os.environ.get("TENON_ENVIRONMENTS") else ENVIRONMENT
    try:
        python = python_packages.make_environment(folder, options=())
        for package in python_packages.modules_missing_in(python, sorted(packages)):
            print(f"bench: installing {package} into {folder}", file=sys.stderr)
            try:
                python_packages.install(python, package)
            except python_packages.InstallError as error:
                if package == "numpy":
                    raise
                print(f"SKIPPED: {package} could not be installed ({error}), so it is not measured.", file=sys.stderr)
    except (python_packages.InstallError, OSError) as error:
        sys.exit(f"bench: measuring beside other runtimes needs {python_packages.in_words(sorted(packages))} in {folder}, which "
                 f"could not be made: {error}")
    return python


def threads_with_cores(threads):
    """Those numbers of threads that this process has cores for; says so when rows are left out."""
    cores = len(os.sched_getaffinity(0))
    if max(threads) > cores:
        print(f"SKIPPED: rows with more than {cores} threads, as many cores as this process may use.", file=sys.stderr)
    return [count for count in threads if count <= cores]


@contextlib.contextmanager
def working_folder():
    """A folder for the files of a measurement and its log.txt. When the measurement fails, says why and ends the program."""
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        try:
            yield folder
        except (BenchError, subprocess.CalledProcessError) as error:
            log = folder / "log.txt"
            sys.exit(f"bench: {error}" + (f"\n{log.read_text()[-2000:]}" if log.exists() else ""))


def write_images(path, shape, seed=1):
    """The same images on every machine: what they show doesn't matter, that they differ does."""
    import array
    import random

    generator = random.Random(seed)
    count = 1
    for size in shape:
        count *= size
    with open(path, "wb") as file:
        array.array("f", (generator.uniform(-1, 1) for _ in range(count))).tofile(file)
