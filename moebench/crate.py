"""``python -m moebench.crate RESULTS FOLDER``: pack a finished run as a Provenance Run RO-Crate.

The crate holds the workflow, every file between the text and a figure or page, and who made what
from what (RO-Crate 1.1; profiles process, workflow and provenance of Workflow Run RO-Crate 0.5).
It is written from the sidecars and needs the library ``rocrate`` alone, not what measures.
"""

import argparse
import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rocrate.model.contextentity import ContextEntity
from rocrate.rocrate import ROCrate

from moebench import sidecar

ROOT = Path(__file__).parent.parent
PROFILES = ("process", "workflow", "provenance")
PROFILE_VERSION = "0.5"
ENGINE = "https://snakemake.github.io"
LICENSE = "https://spdx.org/licenses/MIT"
WORKFLOW = {
    "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
    "name": "moebench",
}
Jobs = dict[Path, sidecar.Record]  # by sidecar; paths in it are relative to the results folder


def finished_jobs(results: Path) -> Jobs:
    """Every job behind a figure or a page of a run; ValueError where there is none."""
    figures = sorted(results.glob("figures/*.json"))
    pages = sorted(results.glob("report/*.html"))
    if not figures:
        raise ValueError(f"{results}: no figures; run the workflow to its end first: make all")
    jobs = sidecar.ancestors(pages, results)
    for path in figures:
        own = sidecar.read_figure(path)["chain"][0]
        jobs[path] = sidecar.moved(own, path.parent, results)
        inputs = [results / name for name in jobs[path]["inputs"]]
        jobs |= sidecar.ancestors(inputs, results)
    return jobs


def pack(results: Path, folder: Path) -> None:
    """Write the crate of a run into ``folder``, copying every file that a job read or wrote."""
    jobs = finished_jobs(results)
    crate = ROCrate(version="1.1")
    _describe(crate)
    files = _add_files(crate, results, jobs)
    workflow = crate.add_workflow(
        ROOT / "Snakefile", "Snakefile", main=True, lang="snakemake", properties=WORKFLOW
    )
    tools = {rule: _tool(crate, rule) for rule in sorted({job["rule"] for job in jobs.values()})}
    steps = {rule: _step(crate, tool, rule, i) for i, (rule, tool) in enumerate(tools.items(), 1)}
    workflow["hasPart"] = list(tools.values())
    workflow["step"] = list(steps.values())
    runs, controls = [], []
    for number, job in enumerate(jobs.values(), 1):
        run = _run(crate, f"#job-{number}", job, tools[job["rule"]], files)
        control = {"@type": "ControlAction", "name": f"orchestrate job {number}"}
        controls.append(_entity(crate, f"#control-{number}", **control))
        controls[-1]["instrument"], controls[-1]["object"] = steps[job["rule"]], run
        runs.append(run)
    _whole_run(crate, workflow, jobs, files, controls)
    crate.write(folder)


def _describe(crate: ROCrate) -> None:
    crate.name = "moebench: a finished run"
    crate.description = (
        "Which Mixture-of-Experts design to choose: figures and pages of a run, the tables, rows, "
        "weights and text they come from, and the jobs that made each."
    )
    crate.license = LICENSE
    _entity(crate, LICENSE, **{"@type": "CreativeWork", "name": "MIT License"})
    for profile in PROFILES:
        found = _entity(
            crate,
            f"https://w3id.org/ro/wfrun/{profile}/{PROFILE_VERSION}",
            **{
                "@type": "CreativeWork",
                "name": f"{profile.title()} Run Crate",
                "version": PROFILE_VERSION,
            },
        )
        crate.root_dataset.append_to("conformsTo", found)


def _add_files(crate: ROCrate, results: Path, jobs: Jobs) -> dict[str, Any]:
    """Every file of every job, under the path that it has beside the results folder.

    What was not kept, and nothing was made from, is left out.
    """
    read, written = (
        {name: digest for job in jobs.values() for name, digest in job[kind].items()}
        for kind in ("inputs", "outputs")
    )
    kept = {name: digest for name, digest in written.items() if (results / name).is_file()}
    files = {}
    for name, digest in sorted((kept | read).items()):
        source = results / name
        if not source.is_file():
            raise ValueError(f"{source} is missing; run the workflow again before packing it")
        properties = {"sha256": digest, "contentSize": str(source.stat().st_size)}
        files[name] = crate.add_file(source, _place(results, source, digest), properties=properties)
    return files


def _place(results: Path, source: Path, digest: str) -> str:
    """Where in the crate a file lies: as beside the results, or among what came from elsewhere."""
    path = Path(os.path.relpath(source.resolve(), results.resolve().parent))
    return path.as_posix() if ".." not in path.parts else f"elsewhere/{digest[:12]}_{path.name}"


def _tool(crate: ROCrate, rule: str) -> Any:
    """The script of a rule, which has the rule's name."""
    script = ROOT / "workflow" / "scripts" / f"{rule}.py"
    properties = {"@type": ["File", "SoftwareSourceCode"], "name": rule}
    return crate.add_file(script, f"workflow/scripts/{rule}.py", properties=properties)


def _step(crate: ROCrate, tool: Any, rule: str, position: int) -> Any:
    step = _entity(
        crate,
        f"Snakefile#{rule}",
        **{"@type": "HowToStep", "name": rule, "position": str(position)},
    )
    step["workExample"] = tool
    return step


def _run(crate: ROCrate, name: str, job: sidecar.Record, tool: Any, files: dict[str, Any]) -> Any:
    """One job: its script, what it read, what it wrote."""
    code = job["params"].get("code", {}).get("digest", "not recorded")
    properties = {"name": f"{job['rule']}: {next(iter(job['outputs']))}"}
    properties["description"] = f"code digest {code}"
    read, written = (
        [files[each] for each in job[kind] if each in files] for kind in ("inputs", "outputs")
    )
    return crate.add_action(tool, name, object=read, result=written, properties=properties)


def _whole_run(
    crate: ROCrate, workflow: Any, jobs: Jobs, files: dict[str, Any], controls: list[Any]
) -> None:
    """The run as one action, and the engine that organised its jobs."""
    made = {name for job in jobs.values() for name in job["outputs"]} & files.keys()
    read = [file for name, file in files.items() if name not in made]
    written = [files[name] for name in sorted(made)]
    run = crate.add_action(
        workflow, "#run", object=read, result=written, properties={"name": "the run"}
    )
    crate.root_dataset.append_to("mentions", run)
    engine = _entity(crate, ENGINE, **{"@type": "SoftwareApplication", "name": "Snakemake"})
    organised = _entity(
        crate, "#organise", **{"@type": "OrganizeAction", "name": "organise the jobs"}
    )
    organised["instrument"], organised["result"], organised["object"] = engine, run, controls


def _entity(crate: ROCrate, identifier: str, **properties: Any) -> Any:
    return crate.add(ContextEntity(crate, identifier, properties=properties))


def main(arguments: Iterable[str]) -> int:
    """Pack; a mistake of the user is one line."""
    parser = argparse.ArgumentParser(prog="python -m moebench.crate", description=main.__doc__)
    parser.add_argument("results", type=Path, help="the folder of a finished run")
    parser.add_argument("folder", type=Path, help="where to write the crate; must not exist")
    given = parser.parse_args(list(arguments))
    try:
        if given.folder.exists():
            raise ValueError(f"{given.folder} exists; remove it, or name another folder")
        pack(given.results, given.folder)
    except ValueError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
