"""A sweep in pieces: what was measured stays, and no process mixes two boards."""

import pytest

from moebench.energy.plan import groups
from moebench.energy.resume import finished, missing, num_missing
from moebench.records import Row
from moebench.spec import EnergySpec

SPEC = EnergySpec(
    sizes=["small"],
    networks=["moe", "dense_total"],
    kernels=["grouped"],
    batch_sizes=[1, 16],
    num_processes=2,
    figures=[],
)


def windows(process, board, number=4):
    """Rows of the first windows of a process, as a board measured them."""
    [group] = groups(SPEC, process)
    return [
        Row(
            kind="window",
            spec=cell.model_dump() | {"plan": "quick"},
            setting={"board": board},
            values={"process": process, "block": group.block, "place": place},
        )
        for place, cell in enumerate(group.cells[:number])
    ]


def cells(left):
    return [cell for _, cells in left for cell in cells]


def test_what_a_board_has_measured_is_not_measured_again_on_it():
    [group] = groups(SPEC, 0)
    assert cells(missing(SPEC, 0, [], "A")) == list(group.cells)
    assert cells(missing(SPEC, 0, windows(0, "A", 3), "A")) == [group.cells[3]]
    assert missing(SPEC, 0, windows(0, "A"), "A") == []
    assert len(cells(missing(SPEC, 1, windows(0, "A"), "A"))) == 4


def test_a_process_that_another_board_began_begins_anew():
    assert len(cells(missing(SPEC, 0, windows(0, "A", 3), "B"))) == 4


def test_a_process_that_any_board_finished_is_finished():
    assert missing(SPEC, 0, windows(0, "A"), "B") == []


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        ([], 8),
        (windows(0, "A", 3), 5),
        (windows(0, "A", 3) + windows(0, "B", 1), 5),
        (windows(0, "A"), 4),
        (windows(0, "A") + windows(1, "B"), 0),
    ],
)
def test_the_windows_left_are_counted_on_the_board_that_is_furthest(rows, left):
    assert num_missing(SPEC, rows) == left


def test_pieces_of_boards_that_did_not_finish_are_left_out():
    epoch = Row(kind="epoch", spec={}, setting={"board": "A"}, values={})
    whole = [epoch, *windows(0, "B"), *windows(1, "A")]
    assert finished(SPEC, [*windows(0, "A", 3), *whole]) == whole
