"""Runs commands one after the other under a time limit each and one for all, and keeps what they found.

A stage is a command that prints its findings as lines of JSON. Whatever becomes of it (it fails, hangs, crashes, is not
installed), the others go on if they don't need it, and what it had found until then is kept.
"""

import dataclasses
import json
import math
import os
import selectors
import signal
import subprocess
import threading
import time

SKIPPED = 77
LOG_BYTES = 200_000  # of a stage's output, and of its errors, in the log, which is to be copied back
PATIENCE = 2.0  # seconds between asking a process to end and killing it


@dataclasses.dataclass
class Stage:
    """A command and what is known of it. `skip` is a reason not to run it, or None."""

    name: str
    command: list
    seconds: float
    needs: tuple = ()  # stages that must have passed
    waits_for: tuple = ()  # stages in the background that must have ended, however
    skip: str | None = None
    environment: dict = dataclasses.field(default_factory=dict)
    background: bool = False  # runs beside the stages after it, until one needs it
    optional: bool = False  # a failure is told but does not fail the whole


@dataclasses.dataclass
class Outcome:
    """How a stage ended: passed, failed, timed out, skipped or not run; and why, in words."""

    name: str
    status: str
    seconds: float = 0.0
    why: str = ""

    @property
    def is_failure(self):
        return self.status in ("failed", "timed out")


class Process:
    """A running command with all processes that it starts."""

    def __init__(self, stage, log):
        self.stage, self.log = stage, log
        self.start = time.monotonic()
        self.rest = b""
        log.write(f"== {stage.name}: {' '.join(map(str, stage.command))}\n")
        log.flush()
        self.process = subprocess.Popen(
            list(map(str, stage.command)),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=os.environ | stage.environment,
            start_new_session=True,
        )
        os.set_blocking(self.process.stdout.fileno(), False)
        self.errors = threading.Thread(target=self.keep_errors, daemon=True)
        self.errors.start()

    def keep_errors(self):
        """Copies the first of the process' errors to the log, as they come, and drops the others."""
        left = LOG_BYTES
        while block := os.read(self.process.stderr.fileno(), 1 << 16):
            if left > 0:
                os.write(self.log.fileno(), block[:left])
            left -= len(block)

    def lines_until(self, deadline):
        """Lines as they come; ends when the output does or the time is over."""
        with selectors.DefaultSelector() as selector:
            selector.register(self.process.stdout, selectors.EVENT_READ)
            while True:
                left = deadline - time.monotonic()
                # What a process of the background has said before it ended is read even if that was long ago.
                if (left <= 0 and self.process.poll() is None) or not selector.select(max(left, 0.0)):
                    return
                block = self.process.stdout.read(1 << 16)
                if not block:
                    break
                *lines, self.rest = (self.rest + block).split(b"\n")
                yield from (line.decode(errors="replace") for line in lines)
        if self.rest:
            yield self.rest.decode(errors="replace")

    def end(self, deadline):
        """The exit status; None if it had to be stopped."""
        try:
            return self.process.wait(max(0.0, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            return None
        finally:
            self.stop()

    def stop(self):
        """Ends the process and those it started, which may outlive it."""
        for number in (signal.SIGTERM, signal.SIGKILL):
            try:
                os.killpg(self.process.pid, number)
            except ProcessLookupError:
                break
            try:
                self.process.wait(PATIENCE)
            except subprocess.TimeoutExpired:
                continue
        self.process.wait()
        self.errors.join(PATIENCE)
        self.process.stdout.close()


class Runner:
    """Runs stages; `findings` are all lines of JSON, each with its stage, `outcomes` one entry a stage."""

    def __init__(self, seconds, log, start=None, say=print, changed=lambda: None):
        self.start = time.monotonic() if start is None else start
        self.deadline = self.start + seconds
        self.log, self.say, self.changed = log, say, changed
        self.findings, self.outcomes, self.background = [], {}, {}
        self.words = {}  # bytes of the log, by stage

    def elapsed(self):
        return time.monotonic() - self.start

    def conclude(self, outcome):
        self.outcomes[outcome.name] = outcome
        because = f": {outcome.why}" if outcome.why else ""
        self.changed()  # first: who has read the line finds it in the report
        self.say(f"gpu_check: {outcome.name}: {outcome.status} in {outcome.seconds:.0f} s{because}")
        return outcome

    def run(self, stage):
        for name in (*stage.needs, *stage.waits_for):
            if name in self.background:
                self.finish(self.background.pop(name))
        for name in stage.needs:
            needed = self.outcomes.get(name)
            if needed is None or needed.status != "passed":
                status = "not run" if needed is None or needed.status != "skipped" else "skipped"
                return self.conclude(Outcome(stage.name, status, why=f"it needs {name}"))
        if stage.skip:
            return self.conclude(Outcome(stage.name, "skipped", why=stage.skip))
        left = self.deadline - time.monotonic()
        if left < min(1.0, stage.seconds):
            return self.conclude(Outcome(stage.name, "not run", why="no time was left"))
        try:
            process = Process(stage, self.log)
        except OSError as error:
            return self.conclude(Outcome(stage.name, "failed", why=str(error)))
        if stage.background:
            self.background[stage.name] = process
            self.say(f"gpu_check: {stage.name}: started, in the background")
            return None
        return self.finish(process)

    def finish(self, process):
        stage = process.stage
        deadline = min(process.start + stage.seconds, self.deadline)
        problems, reasons = [], []
        try:
            for line in process.lines_until(deadline):
                self.take(stage, line, problems, reasons)
            status = process.end(deadline)
        except BaseException:
            process.stop()
            raise
        seconds = time.monotonic() - process.start
        if status is None:
            outcome = Outcome(stage.name, "timed out", seconds, f"its {deadline - process.start:.0f} s were over")
        elif status == SKIPPED:
            outcome = Outcome(stage.name, "skipped", seconds, reasons[0] if reasons else "see the log")
        elif status != 0:
            ending = f"signal {signal.Signals(-status).name}" if status < 0 else f"exit status {status}"
            outcome = Outcome(stage.name, "failed", seconds, "; ".join([ending, *problems[:1]]))
        elif problems:
            more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
            outcome = Outcome(stage.name, "failed", seconds, problems[0] + more)
        else:
            outcome = Outcome(stage.name, "passed", seconds)
        return self.conclude(outcome)

    def take(self, stage, line, problems, reasons):
        """A line of a stage's output: a finding, or words for the log."""
        self.words[stage.name] = self.words.get(stage.name, 0) + len(line) + 1
        if self.words[stage.name] < LOG_BYTES:
            self.log.write(line + "\n")
            self.log.flush()
        if "SKIPPED:" in line:
            reasons.append(line.split("SKIPPED:")[-1].strip())
        if not line.startswith("{"):
            return
        try:
            finding = json.loads(line)
        except ValueError:
            problems.append(f"a line that is no JSON: {line[:60]}")
            return
        self.findings.append({"stage": stage.name, **finding})
        self.changed()
        problem = problem_of(finding)
        if problem:
            problems.append(problem)

    def stop(self):
        """Ends what still runs in the background."""
        for process in self.background.values():
            process.stop()
        self.background.clear()


def problem_of(finding):
    """What is wrong with a finding that has a bound; None if nothing is."""
    if "bound" not in finding or "error" not in finding:
        return None
    error, bound = finding["error"], finding["bound"]
    if isinstance(error, (int, float)) and math.isfinite(error) and error <= bound:
        return None
    what = " ".join(str(finding[key]) for key in ("kind", "what", "network", "precision", "batch") if key in finding)
    return f"{what} differ from {finding.get('against', 'what is expected')} by {error}, bound {bound:g}"
