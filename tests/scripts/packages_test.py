"""Scripts started by a Python that has no packages: each says in one sentence what it needs, and scripts/python_packages.py
installs it into an environment of the script's own. No registry is asked: pip has no index here, but a folder with a wheel."""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
# Arguments that lead a script to its packages, and what it must name.
SCRIPTS = {
    "benchmarks/cuda/pytorch.py": ([], ["numpy", "torch"]),
    "benchmarks/peers/chart.py": (["chart.svg"], ["matplotlib"]),
    "benchmarks/peers/peer.py": (["onnxruntime"], ["numpy"]),
    "benchmarks/training/torch_step.py": (["eager", "--onnx=a", "--input=a", "--shape=1,3,8,8", "--threads=1"],
                                          ["numpy", "torch", "onnx"]),
    "examples/data/make_images.py": ([], ["PIL"]),
    "scripts/check_explanations": (["--program", sys.executable], ["numpy", "torch", "torchvision", "pytorch_grad_cam"]),
    "scripts/check_interop": (["--program", sys.executable, "--environment", "{folder}/interop"],
                              ["PyTorch", "torchvision", "timm", "Keras", "MXNet"]),
    "scripts/convert_weights.py": (["weights.pth", "weights.safetensors"], ["numpy"]),
    "scripts/make_goldens.py": (["--check"], ["numpy", "torch", "torchvision"]),
    "scripts/make_training_goldens.py": (["--check"], ["numpy", "torch", "torchvision"]),
    "tests/convert_weights/files/make_files.py": ([], ["torch"]),
    "tests/fuzz/make_seeds.py": ([], ["numpy"]),
    "tests/image/make_files.py": ([], ["numpy", "PIL"]),
    "tests/io/files/make_archives.py": ([], ["numpy", "torch"]),
    "tests/io/files/make_checkpoints.py": ([], ["numpy"]),
    "tests/io/files/make_files.py": ([], ["numpy", "safetensors"]),
    "tests/report/onnx_test.py": (["--runtime", sys.executable], ["numpy", "onnx", "onnxruntime"]),
}
PACKAGES = "numpy|torch|torchvision|onnx|onnxruntime|openvino|PIL|h5py|matplotlib|safetensors|keras|timm|mxnet"
PROBE = '''"""The help of probe.py."""
import sys
sys.path.insert(0, sys.argv[1])
import python_packages
python_packages.require("probe.py", tenon_probe="tenon-probe==1.0")
import tenon_probe
print(tenon_probe.answer, *sys.argv[2:])
'''


def write_wheel(folder, name="tenon_probe", version="1.0", module="answer = 42\n", needs=""):
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{name}.py", module)
        info = f"{name}-{version}.dist-info"
        needed = f"Requires-Dist: {needs}\n" if needs else ""
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: {name.replace('_', '-')}\nVersion: {version}\n{needed}")
        wheel.writestr(f"{info}/WHEEL", "Wheel-Version: 1.0\nGenerator: tenon\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{info}/RECORD", f"{name}.py,,\n{info}/METADATA,,\n{info}/WHEEL,,\n{info}/RECORD,,\n")


class PackagesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.temporary = tempfile.TemporaryDirectory()
        cls.addClassCleanup(cls.temporary.cleanup)
        cls.folder = pathlib.Path(cls.temporary.name).resolve()
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", cls.folder / "bare"], check=True)
        (cls.folder / "wheels").mkdir()
        write_wheel(cls.folder / "wheels")
        (cls.folder / "probe.py").write_text(PROBE)

    def run_bare(self, script, *arguments, **environment):
        """By a Python without packages, in an empty folder, with a pip that reaches nothing."""
        (self.folder / "empty").mkdir(exist_ok=True)
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("PIP_", "PYTHON", "TENON_"))}
        return subprocess.run(
            [self.folder / "bare/bin/python", "-B", script, *[str(a).format(folder=self.folder) for a in arguments]],
            cwd=self.folder / "empty", capture_output=True, text=True,
            env=inherited | {"PIP_NO_INDEX": "1", "PIP_CONFIG_FILE": os.devnull, "PIP_DISABLE_PIP_VERSION_CHECK": "1",
                             "TENON_ENVIRONMENTS": str(self.folder / "environments")} | environment)

    def assert_sentence(self, result, status, names):
        self.assertEqual(result.returncode, status, result.stderr)
        self.assertNotIn("Traceback", result.stderr)
        self.assertEqual(result.stdout, "")
        last = result.stderr.strip().splitlines()[-1]
        for name in names:
            self.assertRegex(last, rf"\b{re.escape(name)}\b")
        return last

    def test_each_script_names_what_it_needs(self):
        for script, (arguments, names) in SCRIPTS.items():
            with self.subTest(script):
                result = self.run_bare(ROOT / script, *arguments, TENON_NO_INSTALL="1")
                sentence = self.assert_sentence(result, 77, names)
                self.assertIn("SKIPPED: ", sentence)
                self.assertEqual(result.stderr.count("\n"), 1, result.stderr)

    def test_no_script_that_needs_packages_is_left_out(self):
        for path in sorted(path for room in ("scripts", "benchmarks", "tests", "examples") for path in (ROOT / room).rglob("*")):
            if not path.is_file() or path.suffix not in (".py", ""):
                continue
            text = path.read_text(encoding="utf-8", errors="replace")
            imports = re.search(rf"^\s*(import|from) ({PACKAGES})\b", text, re.MULTILINE)
            if imports and re.match(r"#!.*python", text):
                self.assertIn(path.relative_to(ROOT).as_posix(), SCRIPTS)

    def test_help_needs_nothing(self):
        for script in ("scripts/make_goldens.py", "scripts/convert_weights.py", "scripts/check_interop", "tests/report/onnx_test.py"):
            with self.subTest(script):
                result = self.run_bare(ROOT / script, "--help")
                self.assertEqual(result.returncode, 0, result.stderr)
                self.assertIn(pathlib.Path(script).name, result.stdout)
        self.assertFalse((self.folder / "environments" / "make_goldens.py").exists())

    def test_what_is_missing_is_installed_once(self):
        environment = self.folder / "environments" / "probe.py"
        failed = self.run_bare("../probe.py", ROOT / "scripts")
        sentence = self.assert_sentence(failed, 2, ["tenon_probe"])
        self.assertIn(f"could not be installed into {environment}: ERROR: ", sentence)

        wheels = {"PIP_FIND_LINKS": str(self.folder / "wheels")}
        first = self.run_bare("../probe.py", ROOT / "scripts", "argument", **wheels)
        self.assertEqual((first.returncode, first.stdout), (0, "42 argument\n"), first.stderr)
        self.assertIn("installing tenon-probe==1.0 into", first.stderr)

        again = self.run_bare("../probe.py", ROOT / "scripts")
        self.assertEqual((again.returncode, again.stdout, again.stderr), (0, "42\n", ""))

        shutil.rmtree(next(environment.glob("lib/*/site-packages")) / "pip")  # as if making it had been cut off
        for path in environment.glob("lib/*/site-packages/tenon_probe*"):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        mended = self.run_bare("../probe.py", ROOT / "scripts", **wheels)
        self.assertEqual((mended.returncode, mended.stdout), (0, "42\n"), mended.stderr)

    def test_what_is_there_stays_within_its_bounds(self):
        wheels = self.folder / "bounded"
        wheels.mkdir()
        for version in ("1.0", "3.0"):
            write_wheel(wheels, "tenon_bounded", version, f"version = '{version}'\n")
        for version, needs in (("1.0", "tenon-bounded>=1"), ("2.0", "tenon-bounded>=3")):
            write_wheel(wheels, "tenon_helper", version, needs=needs)
        for name, requirements in (("bounded.py", ""), ("helped.py", ", tenon_helper='tenon-helper'")):
            (self.folder / name).write_text(f"""
import sys
sys.path.insert(0, sys.argv[1])
import python_packages
python_packages.require("bounded.py", tenon_bounded="tenon-bounded<2"{requirements})
import tenon_bounded
print(tenon_bounded.version)
""")
            result = self.run_bare(f"../{name}", ROOT / "scripts", PIP_FIND_LINKS=str(wheels))
            self.assertEqual((result.returncode, result.stdout), (0, "1.0\n"), result.stderr)

    def test_bench_says_what_it_cannot_get(self):
        for command in ("peers", "train"):
            with self.subTest(command):
                result = self.run_bare(ROOT / "scripts/bench", command)
                self.assert_sentence(result, 1, ["numpy"])


if __name__ == "__main__":
    unittest.main()
