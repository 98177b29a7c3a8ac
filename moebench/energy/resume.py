"""What is left to do of a sweep that may have been measured in pieces, and on several boards.

Boards of one name differ by several per cent, which cancels where a process compares networks on
one board and does not across boards. So a process that was begun on one board and is gone on with
on another begins anew; what it had is left out in the end.
"""

from collections.abc import Sequence

from moebench.energy.plan import Group, groups, plan_of
from moebench.records import Row
from moebench.spec.energy import EnergySpec, WindowSpec

Key = tuple[int, WindowSpec]  # a block and a cell


def missing(
    spec: EnergySpec, process: int, rows: Sequence[Row], board: str
) -> list[tuple[Group, list[WindowSpec]]]:
    """Cells that a process has yet to measure on a board; none where any board has them all."""
    wanted = groups(spec, process)
    if _finished_on(spec, process, rows) is not None:
        return []
    done = _done(process, rows, board)
    left = [
        (group, [cell for cell in group.cells if (group.block, cell) not in done])
        for group in wanted
    ]
    return [(group, cells) for group, cells in left if cells]


def num_missing(spec: EnergySpec, rows: Sequence[Row]) -> int:
    """Windows of the whole sweep that no board on which their process may finish has measured."""
    return sum(
        min(
            sum(len(cells) for _, cells in missing(spec, process, rows, board))
            for board in _boards(process, rows) or {""}
        )
        for process in range(plan_of(spec).num_processes)
    )


def finished(spec: EnergySpec, rows: Sequence[Row]) -> list[Row]:
    """The rows of a finished sweep, without those of boards on which a process did not finish."""
    boards = {
        process: _finished_on(spec, process, rows) for process in range(plan_of(spec).num_processes)
    }
    assert None not in boards.values(), boards
    return [
        row
        for row in rows
        if row.kind == "epoch" or row.setting["board"] == boards[row.values["process"]]
    ]


def _finished_on(spec: EnergySpec, process: int, rows: Sequence[Row]) -> str | None:
    """The board on which a process has measured all of its cells."""
    wanted = {(group.block, cell) for group in groups(spec, process) for cell in group.cells}
    for board in sorted(_boards(process, rows)):
        if wanted <= _done(process, rows, board):
            return board
    return None


def _boards(process: int, rows: Sequence[Row]) -> set[str]:
    return {row.setting["board"] for row in rows if _is_of(row, process)}


def _done(process: int, rows: Sequence[Row], board: str) -> set[Key]:
    keys = WindowSpec.model_fields
    return {
        (row.values["block"], WindowSpec(**{key: row.spec[key] for key in keys}))
        for row in rows
        if _is_of(row, process) and row.setting["board"] == board
    }


def _is_of(row: Row, process: int) -> bool:
    return bool(row.kind == "window" and row.values["process"] == process)
