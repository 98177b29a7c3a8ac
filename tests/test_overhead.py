"""The critical path of a run, from what Snakemake keeps about its files."""

import base64
import json

import pytest

from moebench import overhead


@pytest.fixture
def keep(tmp_path):
    """Let a job have ended in a folder."""

    def record(rule, outputs, start_s, end_s, *, cut=None):
        for output in outputs:
            (tmp_path / output).touch()
            name = base64.b64encode(output.encode()).decode()
            kept = tmp_path / ".snakemake" / "metadata" / name
            if cut:
                kept = kept.parent / f"@{name[:cut]}" / name[cut:]
            kept.parent.mkdir(parents=True, exist_ok=True)
            told = {"rule": rule, "log": [f"{rule}.log"], "starttime": start_s, "endtime": end_s}
            kept.write_text(json.dumps(told))

    record.folder = tmp_path
    return record


def test_the_path_leads_through_what_made_each_job_wait(keep):
    keep("export", ["text"], 0.0, 10.0)
    keep("train", ["weights", "rows"], 11.0, 30.0)
    keep("other", ["beside"], 11.0, 20.0, cut=3)
    keep("draw", ["figure"], 32.0, 34.0)
    path = overhead.critical_path(overhead.finished(keep.folder))
    assert [job.rule for job in path] == ["export", "train", "draw"]
    said = overhead.summary(overhead.finished(keep.folder)).splitlines()
    assert [line.split()[2] for line in said[:2]] == ["34.0", "31.0"]
    assert said[2].split() == ["ratio", "1.10"]


def test_jobs_side_by_side_leave_no_gap_where_either_ran(keep):
    for lane, offset in (("left", 0.0), ("right", 5.0)):
        for number in range(3):
            begin = offset + 10 * number
            keep(f"{lane}{number}", [f"{lane}{number}"], begin, begin + 10)
    path = overhead.critical_path(overhead.finished(keep.folder))
    assert sum(job.compute_s for job in path) == path[-1].end_s - path[0].start_s


def test_a_file_that_is_gone_does_not_count(keep):
    keep("export", ["text"], 0.0, 10.0)
    keep("train", ["rows"], 11.0, 30.0)
    (keep.folder / "rows").unlink()
    assert [job.rule for job in overhead.finished(keep.folder)] == ["export"]


def test_a_folder_without_a_run_is_named(tmp_path):
    with pytest.raises(overhead.OverheadError, match="holds no finished run"):
        overhead.finished(tmp_path)
