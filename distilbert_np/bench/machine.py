"""What the measurements ran on: processor, threads, versions, and NumPy's BLAS."""

import datetime
import math
import os
import platform
import statistics
import subprocess
import sys
from collections.abc import Sequence
from importlib import metadata
from typing import Any

import numpy as np

from ..runtime import LIMITS, n_threads
from .tables import ABSENT
from .timing import in_turn, timed

LIBRARIES = ("numpy", "torch", "transformers", "onnxruntime")
PRODUCT = (1024, 768, 3072)                      # 1024 × 768 by 768 × 3072


def describe() -> dict[str, Any]:
    """Return what this machine is, and measure how fast it multiplies matrices."""
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        "threads": n_threads(),
        "versions": {"python": platform.python_version()} | versions(),
        "blas": blas(),
        "gflops": gflops(),
    }


def as_text(machine: dict[str, Any]) -> str:
    """Return the lines that stand above the tables."""
    blas = {name: value or ABSENT for name, value in machine["blas"].items()}
    rows, inner, columns = PRODUCT
    return "\n".join([
        f"{machine['date']}, {machine['processor']}, {machine['system']}, "
        f"cores: {machine['cores']}, threads: {machine['threads']}",
        ", ".join(f"{name} {v or ABSENT}" for name, v in machine["versions"].items()),
        f"BLAS {blas['name']} {blas['version']}, kernel {blas['kernel']}: "
        f"{machine['gflops']:.0f} GFLOP/s on {rows}×{inner} by {inner}×{columns}, "
        "float32",
    ])


def processor() -> str:
    """Return the name of the processor, as well as the system tells it."""
    try:
        if sys.platform == "darwin":
            command = ["sysctl", "-n", "machdep.cpu.brand_string"]
            return subprocess.check_output(command, text=True).strip()
        with open("/proc/cpuinfo", encoding="utf-8") as file:
            names = [line for line in file if line.startswith("model name")]
        return names[0].split(":")[1].strip()
    except (OSError, IndexError, subprocess.SubprocessError):
        return platform.processor() or platform.machine()


def versions() -> dict[str, str | None]:
    """Return the version of each library, None where it is not installed."""
    found: dict[str, str | None] = {}
    for name in LIBRARIES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            found[name] = None
    return found


def blas() -> dict[str, str | None]:
    """Return name, version and kernel of NumPy's BLAS; threadpoolctl knows the kernel.
    """
    if pool := blas_pool():
        return {
            "name": pool["internal_api"], "version": pool["version"],
            "kernel": pool.get("architecture"),
        }
    build = np.show_config(mode="dicts")["Build Dependencies"]["blas"]
    return {"name": build["name"], "version": build.get("version"), "kernel": None}


def blas_pool() -> dict[str, Any] | None:
    """Return what threadpoolctl tells of NumPy's BLAS, None if it is not installed."""
    try:
        import threadpoolctl
    except ImportError:
        return None
    pools = [p for p in threadpoolctl.threadpool_info() if p["user_api"] == "blas"]
    of_numpy = [pool for pool in pools if "numpy" in pool["filepath"]]
    return (of_numpy + pools + [None])[0]


def is_limited() -> bool:
    """Whether the environment limits threads."""
    return any(os.environ.get(name) for name in LIMITS)


def is_limited_to(count: int) -> bool:
    """Whether the environment limits threads to this number, whichever BLAS it is."""
    return all(os.environ.get(name) == str(count) for name in LIMITS)


def run_with_threads(count: int, command: Sequence[str]) -> int:
    """Run this program again with so many threads at most; return its exit status.

    BLAS libraries read their limit once, when NumPy is loaded, and it is loaded by now.
    """
    return subprocess.run(
        [sys.executable, "-m", __package__.partition(".")[0], *command],
        env=os.environ | dict.fromkeys(LIMITS, str(count)),
    ).returncode


def gflops() -> float:
    """Return how many billion additions and multiplications a second a product makes.
    """
    rows, inner, columns = PRODUCT
    x = np.ones((rows, inner), np.float32)
    weight = np.ones((columns, inner), np.float32)
    y = np.empty((rows, columns), np.float32)

    def product() -> None:
        np.matmul(x, weight.T, out=y)

    product()
    (times,) = in_turn({"product": timed(product)}, 10).values()
    return 2 * math.prod(PRODUCT) / statistics.median(times) / 1e9
