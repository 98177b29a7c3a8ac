"""Resolve every version anew into requirements.lock and crate.lock: ``python envs/lock.py``.

The lock holds for every Python from 3.11 on. What torch itself pins, its CUDA packages, is left to
torch, so that the one lock installs a CPU build and a GPU build alike.
"""

import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).parent.parent
TORCH = "torch==2.13.0"
PINNED_BY_TORCH = re.compile(r"(torch|triton|cuda-.*|nvidia-(?!ml-py).*)$")

HEADER = """\
# Every version, resolved by `make lock` from pyproject.toml for Python 3.11 and newer.
# What torch pins itself, its CUDA packages, is not repeated.
"""


CRATE_HEADER = """\
# Every version of what `make crate` needs, resolved by `make lock` from pyproject.toml.
"""


def resolved(*wanted: str) -> str:
    """Pins of all packages, as uv finds them."""
    command = ["uv", "pip", "compile", "--quiet", "--universal", "--no-annotate", "--no-header"]
    command += ["--python-version=3.11", *wanted]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout


def lock(pins: str) -> str:
    """Text of the lock file."""
    names = {line: re.split(r"[=\[ ;]", line)[0] for line in pins.splitlines() if line.strip()}
    kept = [line for line, name in names.items() if not PINNED_BY_TORCH.match(name)]
    return HEADER + "\n".join(sorted([*kept, TORCH])) + "\n"


if __name__ == "__main__":
    pins = resolved("--extra=check", "pyproject.toml")
    (ROOT / "requirements.lock").write_text(lock(pins))
    (ROOT / "envs" / "crate.lock").write_text(CRATE_HEADER + resolved("--group=crate"))
