"""Rows: whole or absent on disk, and never mixed from unlike devices."""

import os
import resource
from dataclasses import replace

import pytest
import torch

from moebench import records
from moebench.records import Row

ROW = Row(
    kind="final",
    spec={"router": "softk", "seed": 0},
    setting={"device": "cpu", "dtype": "float32"},
    values={"val_nll_nats": 1 / 3, "load_LE": [[1, 2], [3, 4]], "drop_rate": None},
)


def test_rows_come_back_as_they_were_written(tmp_path):
    path = tmp_path / "new" / "folder" / "rows.jsonl"
    rows = [ROW, replace(ROW, kind="train_step")]
    records.write(rows, path)
    assert records.read([path]) == rows
    assert records.read([path], ["final"]) == [ROW]


def test_a_row_is_one_line(tmp_path):
    path = tmp_path / "rows.jsonl"
    records.write([ROW] * 3, path)
    assert len(path.read_text().splitlines()) == 3


@pytest.mark.parametrize(("key", "other"), [("device", "NVIDIA H200"), ("dtype", "bfloat16")])
def test_rows_of_unlike_devices_refuse_to_be_read_together(tmp_path, key, other):
    paths = [tmp_path / "one.jsonl", tmp_path / "two.jsonl"]
    records.write([ROW], paths[0])
    records.write([replace(ROW, setting=ROW.setting | {key: other})], paths[1])
    with pytest.raises(ValueError, match=f"rows differ in {key} .*{other}"):
        records.read(paths)
    assert len(records.read(paths[1:])) == 1


def test_rows_of_another_schema_are_refused(tmp_path):
    path = tmp_path / "rows.jsonl"
    records.write([replace(ROW, schema=records.SCHEMA + 1)], path)
    with pytest.raises(ValueError, match="rows of schema 2, this version reads 1"):
        records.read([path])


def test_a_write_that_is_cut_short_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "rows.jsonl"
    records.write_text("old", path)

    def full_disk(_):
        raise OSError("No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        records.write_text("new", path)
    assert path.read_text() == "old"


@pytest.fixture
def full_disk():
    """For this process, a disk on which no file can grow over 50 kB."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)


def write_rows(path):
    records.write_text("x" * 100_000, path)


def write_tensors(path):
    with records.whole(path) as file:
        torch.save({"weights": torch.zeros(100_000)}, file)


@pytest.mark.parametrize("write", [write_rows, write_tensors])
def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(write, tmp_path, full_disk):
    with pytest.raises(OSError, match="file cannot be written; make room") as told:
        write(tmp_path / "file")
    assert "\n" not in str(told.value)
    assert not list(tmp_path.iterdir())


def test_a_first_write_that_is_cut_short_leaves_no_file_of_that_name(tmp_path):
    path = tmp_path / "rows.jsonl"

    def rows():
        yield ROW
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        records.write(rows(), path)
    assert not path.exists()


def test_nothing_is_left_beside_a_finished_file(tmp_path):
    records.write([ROW], tmp_path / "rows.jsonl")
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]
