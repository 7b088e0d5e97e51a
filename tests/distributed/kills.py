"""Kills random ranks of jobs at random times, resumes, and compares with a run that nothing has disturbed. By hand:

    python3 tests/distributed/kills.py build/ci/tests/distributed/tenon_test_rank [--kills 100] [--mpiexec mpiexec]

A run is begun by 1, 2 or 4 processes, killed and resumed by as many or others until it has been killed a few times, and
then left to finish. Half of the kills are at any time, also before a process can be watched; the others after the job's
first checkpoint. Fails when a job takes more than 10 s to end after a kill, when a checkpoint can't be resumed from, and
when a run ends with other bits. Prints the longest time and how often a process that was left named the rank and the
checkpoint.
"""
import argparse
import os
import pathlib
import random
import signal
import statistics
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent / "examples"))
import processes  # noqa: E402

BOUND = 10  # seconds from a kill to the end of the job
KILLS_OF_A_RUN = 5
EPOCHS = 12


def ranks_of(job):
    """The processes that have `job` in their environment, by rank, whatever MPI has started them."""
    found = {}
    for folder in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            variables = dict(line.split("=", 1) for line in (folder / "environ").read_text().split("\0") if "=" in line)
            if variables.get("TENON_TEST_RESULT") != job:
                continue
            rank = variables.get("OMPI_COMM_WORLD_RANK", variables.get("PMI_RANK"))
            if rank is not None:
                found[int(rank)] = int(folder.name)
        except OSError:
            continue
    return found


class Run:
    def __init__(self, options, folder):
        self.options = options
        self.checkpoint, self.result = folder / "checkpoint", folder / "result"

    def start(self, ranks):
        environment = {**os.environ, **processes.ENVIRONMENT, "TENON_TEST_EPOCHS": str(EPOCHS),
                       "TENON_TEST_CHECKPOINT": str(self.checkpoint), "TENON_TEST_RESULT": str(self.result)}
        return subprocess.Popen([self.options.mpiexec, "-n", str(ranks), self.options.program], env=environment, text=True,
                                stdout=subprocess.PIPE, stderr=subprocess.STDOUT)

    def finish(self, ranks):
        job = self.start(ranks)
        text, _ = job.communicate(timeout=600)
        if job.returncode != 0:
            sys.exit(f"kills: a run of {ranks} processes that nobody killed failed: {text}")
        return self.result.read_bytes()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", help="tests/distributed/rank.cpp, compiled")
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--mpiexec", default="mpiexec")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    choice = random.Random(options.seed)
    with tempfile.TemporaryDirectory() as folder:
        begin = time.monotonic()
        expected = Run(options, pathlib.Path(folder)).finish(1)
        length = time.monotonic() - begin
    seconds, named, jobs, unnamed = [], [0, 0], [0, 0], []  # of several processes: at any time, after a checkpoint
    while len(seconds) < options.kills:
        with tempfile.TemporaryDirectory() as folder:
            run = Run(options, pathlib.Path(folder))
            for _ in range(min(KILLS_OF_A_RUN, options.kills - len(seconds))):
                ranks = choice.choice((1, 2, 4))
                job = run.start(ranks)
                after_checkpoint = len(seconds) % 2
                before = run.checkpoint.stat().st_mtime_ns if run.checkpoint.exists() else 0
                while after_checkpoint and job.poll() is None:
                    if run.checkpoint.exists() and run.checkpoint.stat().st_mtime_ns > before:
                        break
                    time.sleep(0.01)
                time.sleep(choice.uniform(0, 0.1 if after_checkpoint else 0.6) * length)
                while len(found := ranks_of(str(run.result))) < ranks and job.poll() is None:
                    time.sleep(0.01)
                if job.poll() is not None:
                    job.communicate()
                    break  # it has ended before it could be killed
                victim = choice.randrange(ranks)
                begin = time.monotonic()
                os.kill(found[victim], signal.SIGKILL)
                try:
                    text, _ = job.communicate(timeout=60)
                except subprocess.TimeoutExpired:
                    sys.exit(f"kills: {ranks} processes hang after rank {victim} was killed")
                seconds.append(time.monotonic() - begin)
                sentence = f"rank {victim} of {ranks} failed: its process has ended, or its machine does not answer"
                if run.checkpoint.exists():
                    sentence += f"; the last checkpoint: {run.checkpoint}"
                if ranks > 1:
                    jobs[after_checkpoint] += 1
                    named[after_checkpoint] += sentence in text
                    if sentence not in text and after_checkpoint:
                        unnamed.append(f"rank {victim} of {ranks}: {' '.join(text.split())[:200]}")
                if job.returncode == 0:
                    sys.exit(f"kills: a job whose rank {victim} was killed ended with status 0: {text}")
            if run.finish(choice.choice((1, 2, 4))) != expected:
                sys.exit("kills: a run that was killed and resumed ended with other bits")
        print(f"{len(seconds)} kills, the longest end {max(seconds):.2f} s", flush=True)
    print(f"{len(seconds)} kills: ended after {statistics.median(seconds):.2f} s (median), {max(seconds):.2f} s at most; all "
          f"resumed to the same bits; of the jobs of several processes {named[0]} of {jobs[0]} that were killed at any time, "
          f"and {named[1]} of {jobs[1]} that were killed after a checkpoint, named the rank and the checkpoint")
    for line in unnamed:
        print("not named:", line)
    return 1 if max(seconds) > BOUND else 0


if __name__ == "__main__":
    sys.exit(main())
