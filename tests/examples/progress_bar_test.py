"""What train_cifar10 shows on terminals of different widths: pseudo-terminals, and a screen that draws what they get.

    python3 progress_bar_test.py PROGRAM SOURCE_FOLDER
"""
import fcntl
import os
import pathlib
import pty
import random
import struct
import subprocess
import sys
import tempfile
import termios
import unittest

PROGRAM = sys.argv.pop(1)
sys.argv.pop(1)
EPOCHS = 12


class Screen:
    """The lines that a terminal of some width has, and which of them it had to break. Has no height."""

    def __init__(self, width):
        self.width, self.lines, self.column, self.broken, self.bars = width, [""], 0, [], 0

    def put(self, character):
        if self.column >= self.width:
            self.broken.append(self.lines[-1])
            self.lines.append("")
            self.column = 0
        line = self.lines[-1].ljust(self.column)
        self.lines[-1] = line[:self.column] + character + line[self.column + 1:]
        self.column += 1

    def feed(self, text):
        """Returns what is left of an escape sequence that is not complete."""
        while text:
            if text[0] == "\x1b":
                if len(text) < 3:
                    return text
                if text[:3] != "\x1b[K":
                    raise AssertionError(f"an unknown sequence: {text[:8]!r}")
                # With the cursor after the last column, a terminal erases the character there.
                self.lines[-1] = self.lines[-1][:min(self.column, self.width - 1)]
                text = text[3:]
                continue
            if text[0] == "\r":
                self.column = 0
                self.bars += 1
            elif text[0] == "\n":
                self.lines.append("")
                self.column = 0
            else:
                self.put(text[0])
            text = text[1:]
        return ""


def set_width(terminal, width):
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if width else 0, width, 0, 0))


class ProgressBar(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.folder = pathlib.Path(cls.temporary.name)
        noise = random.Random(1)
        for batch in range(1, 6):
            (cls.folder / f"data_batch_{batch}.bin").write_bytes(
                b"".join(bytes([i % 2]) + noise.randbytes(3072) for i in range(6)))

    @classmethod
    def tearDownClass(cls):
        cls.temporary.cleanup()

    def show(self, width, screen_width=None, columns=None, resize=None):
        """The screen after a training on a terminal of a width, which may be resized to another one at an epoch."""
        terminal, inside = pty.openpty()
        set_width(terminal, width)
        environment = {name: value for name, value in os.environ.items() if name != "COLUMNS"}
        if columns:
            environment["COLUMNS"] = str(columns)
        running = subprocess.Popen(
            [PROGRAM, "--data", str(self.folder), "--output", str(self.folder / f"out{width}"), "--batch", "8", "--hold-out", "6",
             "--epochs", str(EPOCHS), "--cutout", "0", "--rate", "0.01"], stdin=inside, stdout=inside, stderr=inside, env=environment)
        os.close(inside)
        screen, text = Screen(screen_width or width), ""
        while True:
            try:
                data = os.read(terminal, 4096)
            except OSError:  # how Linux says that nobody is on the other side any more
                break
            if not data:
                break
            text = screen.feed(text + data.decode())
            if resize and any(line.startswith(f"epoch {resize[0]}/") for line in screen.lines[:-1]):
                set_width(terminal, resize[1])
                screen.width, resize = resize[1], None
        os.close(terminal)
        self.assertEqual(running.wait(), 0, "\n".join(screen.lines))
        return screen

    def epochs(self, screen, first=1):
        """The lines of epochs from `first` on: one of each is left, and none was broken."""
        lines = [line for line in screen.lines if line.startswith("epoch")]
        numbers = [int(line.split()[1].split("/")[0]) for line in lines]
        self.assertEqual([number for number in numbers if number >= first], list(range(first, EPOCHS + 1)), "\n".join(screen.lines))
        lines = [line for line, number in zip(lines, numbers) if number >= first]
        self.assertLess(max(map(len, lines)), screen.width)
        for line in screen.broken:
            self.assertFalse(line.startswith("epoch") and int(line.split()[1].split("/")[0]) >= first, line)
        # A carriage return is of a line's end, of an epoch's line, or of a bar that was drawn.
        self.assertGreater(screen.bars, len(screen.lines) + EPOCHS)
        return lines

    def test_a_narrow_terminal(self):
        for line in self.epochs(self.show(40)):
            self.assertRegex(line, rf"\Aepoch \d+/{EPOCHS}, val\. acc\. [\d.]+ %\Z")

    def test_a_usual_terminal(self):
        for line in self.epochs(self.show(80)):
            self.assertRegex(line, rf"\Aepoch \d+/{EPOCHS}, loss [\d.]+, acc(uracy|\.) [\d.]+ %, val(idation|\.) loss [\d.]+, "
                                   r"acc(uracy|\.) [\d.]+ %(, \d+:\d\d)?\Z")

    def test_a_wide_terminal(self):
        for line in self.epochs(self.show(200)):
            self.assertRegex(line, rf"\Aepoch \d+/{EPOCHS}, loss [\d.]+, accuracy [\d.]+ %, validation loss [\d.]+, "
                                   r"accuracy [\d.]+ %, \d+ images/s, \d+:\d\d\Z")

    def test_a_window_that_is_resized(self):
        screen = self.show(200, resize=(3, 50))
        # What was under way then may still be longer.
        for line in self.epochs(screen, first=5):
            self.assertLess(len(line), 50)
        self.assertTrue(any(line.startswith("epoch 1/") and len(line) > 80 for line in screen.lines))

    def test_a_terminal_that_does_not_know_and_one_that_is_told(self):
        self.epochs(self.show(0, screen_width=80))
        self.epochs(self.show(200, screen_width=60, columns=60))
        self.epochs(self.show(60, columns=200))


if __name__ == "__main__":
    unittest.main()
