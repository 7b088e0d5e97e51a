"""Packages of PyPI for scripts: a script whose Python lacks one restarts in a virtual environment of its own, which gets it.

    import python_packages
    python_packages.require("make_goldens.py", numpy="numpy==1.26.4", torch="torch==2.2.2")

The environment is build/python/make_goldens.py (build/python is TENON_ENVIRONMENTS, if that is set). It sees what is installed
for the Python that created it: a version (torch==2.2.2) is what is installed where there is none, a bound (numpy<2) also holds for
what a package that is installed needs in turn. With TENON_NO_INSTALL=1, as in tests, nothing is installed: the script says what it needs and
exits with 77, the tests' status for "skipped". --help takes no packages.
"""

import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
SKIPPED = 77
FAILED = 2


class InstallError(Exception):
    """What could not be installed and why, in a sentence."""


def in_words(names):
    names = list(names)
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def missing_modules(modules):
    return [name for name in modules if importlib.util.find_spec(name) is None]


def run(command):
    """Runs a command that creates an environment. Raises InstallError with the last line that it printed."""
    result = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if result.returncode != 0:
        lines = [line.strip() for line in result.stdout.splitlines() if line.strip()]
        errors = [line for line in lines if line.lower().startswith("error")] or lines
        raise InstallError(errors[-1] if errors else f"status {result.returncode}")


def make_environment(folder, base=sys.executable, options=("--system-site-packages",)):
    """The Python of the virtual environment in a folder; creates it if there is none or if creating it was cut off. Raises
    InstallError."""
    python = folder / "bin" / "python"
    if not python.exists() or subprocess.run([python, "-m", "pip", "--version"], capture_output=True).returncode != 0:
        run([base, "-m", "venv", "--clear", *options, folder])
    return python


def modules_missing_in(python, modules):
    """Those of the modules that another Python lacks."""
    code = "import sys; sys.path[:0] = sys.argv[1:2]; from python_packages import *; print(*missing_modules(sys.argv[2:]))"
    result = subprocess.run([python, "-c", code, pathlib.Path(__file__).parent, *modules], capture_output=True, text=True)
    return result.stdout.split() if result.returncode == 0 else list(modules)


def install(python, *arguments):
    """Installs packages with pip. Raises InstallError."""
    run([python, "-m", "pip", "install", "-q", *arguments])


def install_within(python, bounds, *packages):
    """Installs packages of which none brings one that is out of bounds. Raises InstallError."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as file:
        file.write("".join(f"{bound}\n" for bound in bounds))
        file.flush()
        install(python, "--constraint", file.name, *packages)


def environment_folder(script):
    return pathlib.Path(os.environ.get("TENON_ENVIRONMENTS") or ROOT / "build" / "python").resolve() / script


def require(script, may_install=True, **requirements):
    """Returns if this Python has all modules; `requirements` maps each to its name for pip. Otherwise installs what is
    missing into the script's environment and restarts the script there; when that fails, exits with a sentence."""
    missing = missing_modules(requirements)
    if not missing:
        return
    if {"-h", "--help"} & set(sys.argv[1:]):
        print(sys.modules["__main__"].__doc__)
        sys.exit(0)
    needs = f"{script} needs {in_words(requirements)}; {sys.executable} lacks {in_words(missing)}"
    if not may_install or os.environ.get("TENON_NO_INSTALL") == "1":
        print(f"SKIPPED: {needs}", file=sys.stderr)
        sys.exit(SKIPPED)
    folder = environment_folder(script)
    try:
        if pathlib.Path(sys.prefix) == folder:
            raise InstallError("what pip installed there is incomplete; remove that folder and try again")
        python = make_environment(folder)
        if to_install := [requirements[name] for name in modules_missing_in(python, requirements)]:
            print(f"{needs}: installing {in_words(to_install)} into {folder}", file=sys.stderr)
            bounds = [one for one in requirements.values() if "==" not in one and set(one) & set("<>!~")]
            install_within(python, bounds, *to_install)
    except (InstallError, OSError) as error:
        print(f"{needs}, which could not be installed into {folder}: {error}", file=sys.stderr)
        sys.exit(FAILED)
    sys.stdout.flush()
    os.execv(python, [str(python), *sys.argv])
