"""scripts/bench precision --peers: the best peer of each precision, and what it says of files that aren't those of peers."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks/precision"))
import peers_table


def row(precision, threads, peer, peer_ms, ours_ms=10.0, net="ResNet50V2", batch=1):
    return {"net": net, "batch": batch, "precision": precision, "threads": threads, "peer": peer, "peer_ms": peer_ms, "ours_ms": ours_ms}


class PrecisionPeersTest(unittest.TestCase):
    def setUp(self):
        temporary = tempfile.TemporaryDirectory()
        self.addCleanup(temporary.cleanup)
        self.folder = pathlib.Path(temporary.name)

    def file(self, name, content):
        path = self.folder / name
        path.write_text(content if isinstance(content, str) else json.dumps({"rows": content, "cold_start": {}}))
        return path

    def test_the_fastest_peer_of_each_precision_is_beside_tenon_in_its_run(self):
        integers = self.file("int8.json", [row("int8", 2, "OpenVINO", 8.0, 6.0), row("int8", 1, "ONNX Runtime", 25.0, 12.0),
                                           row("int8", 1, "OpenVINO", 16.0, 12.0), row("int8", 1, "OpenVINO", 1.0, net="ResNet50"),
                                           row("int8", 1, "OpenVINO", 2.0, batch=16)])
        floats = self.file("float32.json", [row("float32", 1, "OpenVINO", 50.0, 30.0)])
        self.assertEqual(peers_table.table([integers, floats])[2:], [
            "| float32 | 1 | 30.00 | OpenVINO | 50.00 | 0.60 |",
            "| int8 | 1 | 12.00 | OpenVINO | 16.00 | 0.75 |",
            "| int8 | 2 | 6.00 | OpenVINO | 8.00 | 0.75 |",
            "\nNo peer was measured in bfloat16."])

    def test_other_files_are_refused_before_anything_is_built(self):
        for name, content, expected in (
                ("text.json", "text", "found JSONDecodeError"),
                ("list.json", "[1]", "found TypeError"),
                ("else.json", "{}", "found KeyError: 'rows'"),
                ("old.json", [{"net": "ResNet50V2", "batch": 1}], "found KeyError: 'precision'"),
                ("zero.json", [row("int8", 1, "OpenVINO", 0)], "found ZeroDivisionError"),
                ("other.json", [row("int8", 1, "OpenVINO", 1, net="ResNet18")], "found no row of ResNet50V2 with batch 1")):
            with self.subTest(name):
                with self.assertRaisesRegex(peers_table.PeersError, f"{name}: expected what `scripts/bench peers .*{expected}"):
                    peers_table.table([self.file(name, content)])
        done = subprocess.run([ROOT / "scripts/bench", "precision", "--peers", self.folder / "none.json"], capture_output=True, text=True)
        self.assertEqual((done.returncode, done.stdout), (2, ""))
        self.assertIn("none.json: cannot read the file: No such file or directory", done.stderr)
        self.assertEqual(done.stderr.count("\n"), 1)


if __name__ == "__main__":
    unittest.main()
