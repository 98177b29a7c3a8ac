"""One process of a sweep: trains what is not trained yet, then measures its blocks."""

import platform
import random
import time
from collections.abc import Callable
from dataclasses import asdict
from functools import partial
from typing import Any

import torch
from tqdm import tqdm

from moebench.energy import workload
from moebench.energy.loaded import Loaded, is_emulated, precision
from moebench.energy.networks import seeded
from moebench.energy.plan import Group, plan_of
from moebench.energy.protocol import Protocol
from moebench.energy.readiness import open_instruments, require_meter
from moebench.energy.resume import missing
from moebench.energy.sizes import active_params_of, params_of, width_of
from moebench.energy.state import State
from moebench.energy.training import Epoch, Trainer
from moebench.energy.window import Rig, Window, measure
from moebench.records import Row
from moebench.setting import Setting, prepare
from moebench.spec.energy import EXPERIMENT, EnergySpec, NetworkName, WindowSpec

_PROGRESS_S = 5
_DTYPE_NAMES = {"f32": "float32", "tf32": "tf32", "bf16": "bfloat16"}

Values = dict[str, Any]


class Worker:
    """Measures in one process, on one device, with the meters at hand; rows go to the state."""

    def __init__(self, spec: EnergySpec, state: State, code: str, is_over: Callable[[], bool]):
        self.spec = spec
        self.state = state
        self.is_over = is_over
        self.setting = _setting(spec)
        self.device = self.setting.device
        board = board_of(spec)
        found = open_instruments(spec, [board] if self.device.type == "cuda" else [])
        if spec.require == "measured":
            require_meter(found, "gpu" if self.device.type == "cuda" else "cpu")
        rig = Rig(
            instruments=found,
            synchronise=self.setting.synchronise,
            order=random.Random(time.time_ns()),
        )
        self.protocol = Protocol(rig, plan_of(spec))
        self.facts = self.setting.facts(code, board=board, meters=dict(found.facts))
        self.idles = bool(found.domains) and self.protocol.plan.idle_s > 0

    def work(self, process: int) -> None:
        """Do this process's share of what is missing; stops early where time is over."""
        if self.idles:
            self._idle("bare", process)
        for size in self.spec.sizes:
            if size in self.spec.learning.sizes:
                self._train(size)
        todo = missing(self.spec, process, self.state.rows(), self.facts["board"])
        with tqdm(
            total=sum(len(cells) for _, cells in todo), desc=f"measuring, process {process}",
            unit="window", mininterval=_PROGRESS_S, ascii=True, ncols=90,
        ) as progress:  # fmt: skip
            for group, cells in todo:
                if not self.is_over():
                    self._measure(group, cells, progress.update)

    def _train(self, size: str) -> None:
        """Train the networks of one size that have no weights yet."""
        train, heldout = workload.train_and_heldout(self.spec.learning, self.spec.seed)
        train, heldout = train.to(self.device), heldout.to(self.device)
        for name in self.spec.networks:
            if (size, name) in self._trained() or self.is_over():
                continue
            network = seeded(name, self.spec.shape(size), self.spec.seed).to(self.device)
            trainer = Trainer(network, train, self.spec.learning, self.spec.seed)
            clocked = partial(measure, rig=self.protocol.rig, window_s=0.0)  # of one step
            epochs = list(trainer.epochs(heldout, clocked, f"{name} {size}"))
            share = heldout.majority_share()
            # The rows last: where they are, the weights are, too.
            self.state.save(network.cpu().state_dict(), size, name)
            self.state.append(*[self._epoch_row(size, name, each, share) for each in epochs])

    def _trained(self) -> set[tuple[str, str]]:
        return {(row.spec["size"], row.spec["network"]) for row in self.state.rows("epoch")}

    def _measure(self, group: Group, cells: list[WindowSpec], step: Callable[[], Any]) -> None:
        """Measure cells of one size, between two looks at idling with their networks loaded."""
        loaded = Loaded(self.spec, group.size, self.state, self.device)
        if self.idles:
            self._idle("context", group.process)
        for cell in cells:
            if self.is_over():
                break
            self.state.append(self._window_row(group, cell, loaded))
            step()
        if self.idles:
            self._idle("context", group.process)

    def _window_row(self, group: Group, cell: WindowSpec, loaded: Loaded) -> Row:
        ready = loaded.ready(cell)
        run, batches, turn = ready.network, ready.batches, 0

        def one_batch() -> int:
            nonlocal turn
            run(batches[turn % len(batches)])
            turn += 1
            return cell.batch_size

        with torch.inference_mode(), precision(cell.dtype):
            self.protocol.gap()
            window = self.protocol.window(one_batch)
        scores = loaded.heldout_scores(cell.network, cell.dtype)
        values = {
            "process": group.process,
            "block": group.block,
            "place": group.cells.index(cell),
            "num_batches": window.num_done // cell.batch_size,
            "inferences": window.num_done,
            "duration_s": window.duration_s,
            "inferences_per_s": window.num_done / window.duration_s,
            **asdict(ready.work),
            "is_emulated": is_emulated(cell.dtype, self.device),
            "heldout_nll_nats": scores[0] if scores else None,
            "heldout_accuracy": scores[1] if scores else None,
            **self._account(window),
        }
        setting = self.facts | {"dtype": _DTYPE_NAMES[cell.dtype]}
        return Row(kind="window", spec=self._described(cell), setting=setting, values=values)

    def _epoch_row(self, size: str, name: NetworkName, epoch: Epoch, share: float) -> Row:
        values = {
            "epoch": epoch.number,
            "train_nll_nats": epoch.train_nll_nats,
            "train_accuracy": epoch.train_accuracy,
            "heldout_nll_nats": epoch.heldout_nll_nats,
            "heldout_accuracy": epoch.heldout_accuracy,
            "heldout_majority_share": share,
            "heldout_load_E": epoch.heldout_load_E,
            "duration_s": epoch.taken.duration_s,
            **self._account(epoch.taken),
        }
        spec = {"experiment": EXPERIMENT, "size": size, "network": name}
        return Row(
            kind="epoch", spec=spec | self._shared(size, name), setting=self.facts, values=values
        )

    def _idle(self, baseline: Any, process: int) -> None:
        window = self.protocol.idle(baseline)
        values = {"baseline": baseline, "process": process, "window": window.record()}
        spec = {"experiment": EXPERIMENT}
        self.state.append(Row(kind="idle", spec=spec, setting=self.facts, values=values))

    def _account(self, window: Window) -> Values:
        """Joules within each boundary of this device, and the raw readings they come from."""
        energies = self.protocol.account(window)
        return {
            "energy": {name: asdict(energies[name]) for name in boundaries(self.device)},
            "window": window.record(),
        }

    def _described(self, cell: WindowSpec) -> Values:
        return cell.model_dump() | self._shared(cell.size, cell.network)

    def _shared(self, size: str, name: NetworkName) -> Values:
        """What rows repeat of the sweep beside their cell."""
        shape = self.spec.shape(size)
        return {
            "plan": self.spec.plan,
            "seed": self.spec.seed,
            "shape": shape.model_dump(),
            "learning": self.spec.learning.model_dump(),
            "num_params": params_of(name, shape),
            "num_active_params": active_params_of(name, shape),
            "width": width_of(name, shape),
        }


def boundaries(device: torch.device) -> tuple[str, ...]:
    """Boundaries that make sense for work on a device, the gross one of the device first."""
    if device.type == "cuda":
        return ("gpu", "gpu_net", "gpu_host", "node")
    return ("host", "host_net", "node")


def board_of(spec: EnergySpec) -> str:
    """The GPU that this process computes on, by its UUID; without one, the machine."""
    device = _setting(spec).device
    if device.type != "cuda":
        return platform.node()
    return f"GPU-{torch.cuda.get_device_properties(device).uuid}"


def _setting(spec: EnergySpec) -> Setting:
    return prepare(spec.device, "float32", spec.threads)
