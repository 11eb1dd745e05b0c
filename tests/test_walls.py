"""The walls of the house: who imports whom, and which library has which door."""

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import distilbert_np

PACKAGE = Path(distilbert_np.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))

# Each outside library has one door.
DOORS = {
    "safetensors": {"weights.py"},
    "tokenizers": {"tokenizer.py"},
    "huggingface_hub": {"hub.py"},
    "tqdm": {"loop.py", "base.py"},
    "torch": {"contenders.py", "theirs.py"},
    "transformers": {"contenders.py", "theirs.py"},
    "onnxruntime": {"contenders.py", "theirs.py"},
    "onnx": set(),
    "threadpoolctl": {"machine.py"},
    "matplotlib": {"canvas.py"},
    "PIL": {"canvas.py"},
}
# In the order of imports: each may import only what stands before it.
ORDER = [
    "runtime", "errors", "trees", "files", "rows", "blocks", "functions", "embeddings",
    "attention", "ffn", "losses", "heads", "bert", "hub", "config", "encoder",
    "weights", "trace", "costs", "outputs", "inputs", "tokenizer", "models",
    "inspection", "pipelines", "training", "parity", "teaching", "bench", "commands",
    "__main__",
]
SUITES = [                                       # rooms of several files
    "pipelines", "training", "parity", "teaching", "bench", "commands",
]


def imports(path):
    """Yield the dotted names that a file imports; our own begin with a dot."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = "." * node.level + (node.module or "")
            if not module.strip("."):
                yield from (f"{module}{alias.name}" for alias in node.names)
            else:
                yield module


@pytest.mark.parametrize("library", DOORS)
def test_each_library_has_one_door(library):
    users = {
        path.name
        for path in FILES
        if any(name.split(".")[0] == library for name in imports(path))
    }
    assert users == DOORS[library]


def test_imports_run_one_way():
    rooms = [path.stem for path in PACKAGE.glob("*.py") if path.stem != "__init__"]
    assert sorted([*rooms, *SUITES]) == sorted(ORDER)
    for room in rooms:
        for name in imports(PACKAGE / f"{room}.py"):
            if name.startswith(".") and name != ".__version__":
                imported = name.lstrip(".").split(".")[0]
                assert ORDER.index(imported) < ORDER.index(room), (room, imported)


@pytest.mark.parametrize("suite", SUITES)
def test_a_room_of_several_files_imports_only_what_stands_before_it(suite):
    for path in (PACKAGE / suite).rglob("*.py"):
        up = "." * len(path.relative_to(PACKAGE).parts)          # leaves the room
        for name in imports(path):
            if name.startswith(up) and name != f"{up}__version__":
                imported = name.lstrip(".").split(".")[0]
                assert ORDER.index(imported) < ORDER.index(suite), (path, imported)


def test_losses_use_functions_alone():
    ours = {name for name in imports(PACKAGE / "losses.py") if name.startswith(".")}
    assert ours == {".functions"}


def test_importing_the_package_pulls_in_numpy_and_nothing_heavier():
    script = "import sys, distilbert_np; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    loaded = {name.split(".")[0] for name in run.stdout.split()}
    assert "numpy" in loaded
    assert not loaded & {*DOORS, "tqdm", "matplotlib", "requests", "httpx", "scipy"}


def test_who_only_draws_does_not_wait_for_the_exercises():
    script = "import sys, distilbert_np.bench.report; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert "distilbert_np.teaching.figures" in run.stdout
    assert "distilbert_np.teaching.exercises" not in run.stdout


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_python_3_10_can_read_every_file(path):
    ast.parse(path.read_text(encoding="utf-8"), feature_version=(3, 10))


def test_what_pip_installs_has_every_file_that_is_not_python():
    """Lessons run where only the package is, as in Colab: data must come with it."""
    project = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    (patterns,) = re.findall(r"^distilbert_np = (\[.*\])$", project, re.MULTILINE)
    installed = {
        path for pattern in ast.literal_eval(patterns) for path in PACKAGE.glob(pattern)
    }
    data = {path for path in PACKAGE.rglob("*.*") if path.is_file()}
    missing = {path for path in data - installed if not path.suffix.startswith(".py")}
    assert not missing


def test_no_large_file_and_no_path_of_one_machine():
    for path in FILES:
        assert path.stat().st_size < 100_000
        assert "/home/" not in path.read_text(encoding="utf-8")
