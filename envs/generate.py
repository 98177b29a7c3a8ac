"""Write the conda environments of the rules from requirements.lock: ``python envs/generate.py``.

Each holds what its scripts import, and all that those packages need, at the locked versions.
"""

from importlib.metadata import requires
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

HERE = Path(__file__).parent
LOCK = HERE.parent / "requirements.lock"
PYTHON = "3.11"

DRAW = ["datasets", "docutils", "matplotlib", "moocore", "numpy", "pandas", "pandera", "pydantic"]
DRAW += ["scipy", "seaborn", "statsmodels", "tokenizers", "tqdm", "typer"]
MEASURE = [*DRAW, "mpi4py", "mpich", "nvidia-ml-py", "peft", "torch", "transformers"]
ENVIRONMENTS = {"draw": DRAW, "measure": MEASURE}


def locked() -> dict[str, str]:
    """Pinned versions for PYTHON on Linux, by canonical name."""
    pins = {}
    target = {"python_version": PYTHON, "python_full_version": f"{PYTHON}.0"}
    for line in LOCK.read_text().splitlines():
        if line and not line.startswith("#"):
            pin = Requirement(line)
            if pin.marker is None or pin.marker.evaluate(target):
                pins[canonicalize_name(pin.name)] = f"{pin.name}{pin.specifier}"
    return pins


def closure(roots: list[str], pins: dict[str, str]) -> list[str]:
    """Pins of the packages and of all that they need; what the lock leaves to torch stays out."""
    found: set[str] = set()
    waiting = [canonicalize_name(root) for root in roots]
    while waiting:
        name = waiting.pop()
        if name in found or name not in pins:
            continue
        found.add(name)
        needs = [Requirement(each) for each in requires(name) or []]
        waiting += [
            canonicalize_name(need.name)
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return sorted(pins[name] for name in found)


def environment(name: str) -> str:
    """Text of one environment file."""
    pins = closure(ENVIRONMENTS[name], locked())
    lines = ["# Generated from requirements.lock by envs/generate.py; `make lock` renews both."]
    lines += ["channels:", "  - conda-forge", "  - nodefaults", "dependencies:"]
    lines += [f"  - python ={PYTHON}", "  - pip", "  - pip:", *(f"      - {pin}" for pin in pins)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    for each in ENVIRONMENTS:
        (HERE / f"{each}.yaml").write_text(environment(each))
