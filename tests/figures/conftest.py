import shutil

import pytest
import synthetic


@pytest.fixture
def tables():
    return synthetic.tables()


@pytest.fixture(scope="session")
def drawn_once(tmp_path_factory):
    """A results folder as the workflow leaves it, sidecars and all, with one figure."""
    folder = synthetic.write_results(tmp_path_factory.mktemp("drawn") / "results")
    synthetic.draw(folder, "frontier")
    return folder


@pytest.fixture
def results(drawn_once, tmp_path):
    """A copy of that folder, to be spoilt."""
    return shutil.copytree(drawn_once, tmp_path / "results")


@pytest.fixture
def svg(results):
    return results / "figures/unified_frontier.svg"
