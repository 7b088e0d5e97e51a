"""Signals to a running program, for tests of what a stopped training leaves."""
import pathlib
import shlex
import signal
import subprocess
import time


def wait_until(running, condition, seconds=300):
    """Until condition() holds while the process runs; an AssertionError if it never does."""
    end = time.monotonic() + seconds
    while not condition():
        if running.poll() is not None:
            raise AssertionError(f"the program ended too early, with {running.returncode}: {running.communicate()}")
        if time.monotonic() > end:
            running.kill()
            raise AssertionError("nothing happened for too long")
        time.sleep(0.002)


def has_text(path, text=""):
    return path.exists() and text in path.read_text(errors="replace")


def start(arguments, folder):
    return subprocess.Popen(arguments, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def stop(test, running, number):
    """Sends a signal that has to end the program with 130 and one line that says how to go on; the arguments of that."""
    running.send_signal(number)
    output, errors = running.communicate(timeout=300)
    test.assertEqual(running.returncode, 130, output + errors)
    test.assertNotIn("to go on", output)
    test.assertRegex(errors, rf"\Astopped by {signal.Signals(number).name} after step \d+, saved in \S+; to go on: .*\n\Z")
    command = shlex.split(errors.split("; to go on: ")[1])
    test.assertEqual(command[0], pathlib.Path(running.args[0]).name)
    return [running.args[0], *command[1:]]


def end_at_once(test, running):
    """Sends two signals so that they arrive within one step."""
    for number in (signal.SIGSTOP, signal.SIGINT, signal.SIGTERM, signal.SIGCONT):
        running.send_signal(number)
    output, errors = running.communicate(timeout=300)
    test.assertIn(running.returncode, (-signal.SIGINT, -signal.SIGTERM), output + errors)
    test.assertEqual(errors, "")
