"""The folder in which an unfinished sweep keeps what it has: rows, one by one, and weights.

A sweep that is killed at any moment loses at most the window it was in. Rows of another spec or of
other code are not gone on from.
"""

import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from moebench import records
from moebench.records import Row


class State:
    """Rows and weights of one sweep, in one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._rows = folder / "rows.jsonl"
        self._plan = folder / "plan.json"

    def begin(self, plan: Mapping[str, Any]) -> None:
        """Go on with a sweep of this plan, or begin one; that of another plan is thrown away."""
        if self._plan.is_file():
            if self.plan() == plan:
                print(f"going on after {len(self.rows())} rows of {self.folder}", flush=True)
                return
            print(f"{self.folder} is of another sweep: starting anew", flush=True)
        shutil.rmtree(self.folder, ignore_errors=True)
        self.folder.mkdir(parents=True)
        records.write_text(json.dumps(plan, indent=1, sort_keys=True) + "\n", self._plan)

    def plan(self) -> Any:
        """What ``begin`` was given."""
        return json.loads(self._plan.read_text(encoding="utf-8"))

    def rows(self, kind: str | None = None) -> list[Row]:
        """Rows so far, of one kind or of all; a last line that was cut off is left out."""
        if not self._rows.is_file():
            return []
        lines = self._rows.read_text(encoding="utf-8").split("\n")
        found = [Row(**json.loads(line)) for line in lines[:-1]]
        return [row for row in found if kind in (None, row.kind)]

    def append(self, *rows: Row) -> None:
        """Add rows, all or none of which a kill leaves behind if they are of one call."""
        text = "".join(json.dumps(asdict(row), sort_keys=True) + "\n" for row in rows)
        self._cut_off_half_a_line()
        with open(self._rows, "a", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())

    def weights(self, size: str, network: str) -> Path:
        """Where the weights of a trained network lie."""
        return self.folder / "weights" / f"{size}_{network}.pt"

    def save(self, weights: Mapping[str, Any], size: str, network: str) -> None:
        """Keep the weights of a trained network; a kill leaves all of them or none."""
        path = self.weights(size, network)
        path.parent.mkdir(exist_ok=True)
        partial = path.with_suffix(".part")
        torch.save(weights, partial)
        partial.replace(path)

    def forget(self) -> None:
        """Remove the folder: the sweep is finished."""
        shutil.rmtree(self.folder)

    def _cut_off_half_a_line(self) -> None:
        if self._rows.is_file():
            content = self._rows.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(self._rows, whole)
