"""The course on a stick: this repository, and all that it needs, for no network.

    python -m distilbert_np.teaching.bundle STICK

The libraries are those for the computer and the Python that run this. For a class with
several kinds of either, run it once on each, with the same stick: it adds to what is
there. START.md on the stick tells the class what to do.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import DistilBertError, InputError
from ..files import system_errors

REPOSITORY = Path(__file__).resolve().parents[2]
# What a repository collects beside its files.
LEFT_OUT = shutil.ignore_patterns(
    ".*", "venv", "__pycache__", "*.pyc", "*.egg-info", "build", "dist"
)
START = """\
# Start here

Copy this folder to the laptop, or stay on the stick. In a terminal, in this folder:

    python -m venv .venv
    source .venv/bin/activate            # Windows: .venv\\Scripts\\activate
    pip install --no-index --find-links wheels -r distilbert_np/requirements.txt
    cd distilbert_np
    jupyter lab notebooks

No network is needed. Python must be one of: {pythons}.
The lessons are numbered; notebooks/README.md is the teacher's page.
"""


def bundle(stick: Path) -> None:
    """Write the repository, the libraries' wheels and START.md into the folder `stick`.

    Raises InputError where the package is not in its repository, or the stick in it,
    and FileError where something cannot be written.
    """
    requirements = REPOSITORY / "requirements.txt"
    if not requirements.is_file():
        raise InputError("run it in a clone: the installed package is not all")
    if stick.resolve().is_relative_to(REPOSITORY):
        raise InputError(f"{stick}: expected a folder outside the repository")
    with system_errors(stick, "written"):
        target = stick / "distilbert_np"
        shutil.copytree(REPOSITORY, target, ignore=LEFT_OUT, dirs_exist_ok=True)
    download(requirements, stick / "wheels")
    with system_errors(stick, "written"):
        (stick / "START.md").write_text(start(stick / "pythons.txt"), encoding="utf-8")


def download(requirements: Path, wheels: Path) -> None:
    """Put the wheels of everything that is required, for this computer, in a folder."""
    command = ["pip", "download", "--quiet", "--only-binary", ":all:"]
    arguments = ["--dest", str(wheels), "--requirement", str(requirements)]
    run = subprocess.run([sys.executable, "-m", *command, *arguments])
    if run.returncode:
        raise InputError("pip could not fetch the libraries; see above")


def start(pythons: Path) -> str:
    """Return the text of START.md; keep this Python in the list of those that will do.
    """
    here = f"{sys.version_info.major}.{sys.version_info.minor} ({sys.platform})"
    known = pythons.read_text(encoding="utf-8").splitlines() if pythons.exists() else []
    known = sorted({*known, here})
    pythons.write_text("\n".join(known) + "\n", encoding="utf-8")
    return START.format(pythons=", ".join(known))


def main(arguments: list[str]) -> int:
    """Run the command; return its exit status, 0 or 2."""
    parser = argparse.ArgumentParser(
        prog="python -m distilbert_np.teaching.bundle",
        description="Write the course onto a stick: repository and libraries.",
    )
    parser.add_argument(
        "stick", metavar="STICK", type=Path, help="the folder to write into"
    )
    stick = parser.parse_args(arguments).stick
    try:
        bundle(stick)
    except DistilBertError as error:
        print(f"bundle: {error}", file=sys.stderr)
        return 2
    print(f"The course is in {stick}; START.md there says how to begin.")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
