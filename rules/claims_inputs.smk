"""What the rules of the ledger depend on: the claims, and the tables they are put to."""

import functools

from moebench import published_files
from moebench.analysis.claims import entries

SUMS = resource(f"published/{published_files.SUMS}")


def claims_file():
    """The file of claims: the user's own, or the one that comes with the workflow."""
    return CONFIG.claims.file or os.path.relpath(REPOSITORY / "config" / "claims.yaml")


# Read once and only where it is wanted: most jobs have nothing to do with claims.
@functools.cache
def claims_found():
    """The claims of this run."""
    return entries.read(claims_file())


def published_tables():
    """Every file of published numbers, by the name of its table."""
    names = [name.removesuffix(".csv") for name in published_files.digests(SUMS)]
    return {name: resource(f"published/{name}.csv") for name in names}


def owner(name):
    """The experiment or room of this run that makes a table; None where there is none."""
    if (
        name.endswith("_published")
        and name.removesuffix("_published") in CONFIG.experiments
    ):
        return next((each for each in compared() if name == f"{each}_published"), None)
    owners = sorted([*CONFIG.experiments, *CONFIG.rooms], key=len, reverse=True)
    return next((each for each in owners if f"{name}_".startswith(f"{each}_")), None)


def claimed_tables(wildcards):
    """The tables that claims are about: published, and of this run where it makes them."""
    published, here = (
        {
            name
            for trial in entries.trials(claims_found(), data).values()
            for name in trial.tables
        }
        for data in ("published", "here")
    )
    # The speed of an arm is measured once for all its seeds; its interval is in the summary.
    here |= {f"{name}_summary" for name in here & set(CONFIG.experiments)}
    return {
        "published": [
            path for name, path in published_tables().items() if name in published
        ],
        "here": [f"results/tables/{name}.csv" for name in sorted(here) if owner(name)],
    }


def check_claims():
    """Refuse, before any job runs, claims that cannot be tried and published data that was edited."""
    import pandas as pd

    from moebench.analysis.claims import known_tables

    found = claims_found()
    files = published_tables()
    published_files.check(SUMS, files.values())
    entries.check(
        found,
        {name: pd.read_csv(path, nrows=0).columns for name, path in files.items()},
        known_tables.columns(
            known_tables.of_run({*CONFIG.experiments, *found.experiments})
        ),
    )
