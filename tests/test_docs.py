"""What the documentation says is so: keys, files, commands, links."""

import re
import shlex
import subprocess

import pytest
from snakemake.cli import parse_args

from moebench import provenance, registry
from moebench.routers.__main__ import explain as explain_routers
from moebench.spec.explain import explain
from tests.specs import ROOT

HEADER = """\
# What can be set

Written by `python -m moebench.spec --explain`; a test keeps it so. The defaults hold where a
config file does not give the key; `config/config.yaml` gives several. `<name>` is a name of your
choice.

"""
CONFIGURATION = ROOT / "docs" / "configuration.md"
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *(ROOT / "config").glob("*.md")])
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


def commands(page):
    """Lines of the shell examples of a page."""
    for block in re.findall(r"^```sh\n(.*?)^```", page.read_text(), re.DOTALL | re.MULTILINE):
        yield from block.splitlines()


def tracked():
    """Every file of the repository, by its path."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [path for path in listed.stdout.splitlines() if (ROOT / path).exists()]


def test_the_page_of_keys_is_what_the_program_explains(request):
    expected = HEADER + explain()
    if request.config.getoption("--update-golden"):
        CONFIGURATION.write_text(expected)
    assert CONFIGURATION.read_text() == expected, "run: pytest --update-golden tests/test_docs.py"


def test_every_key_is_explained_with_a_meaning_and_every_plug_in_named():
    text = explain()
    rows = [line.split(" | ") for line in text.partition("## Routers")[0].splitlines()]
    explained = {row[0].strip("| `"): row[-1].strip(" |") for row in rows if len(row) == 5}
    assert {"model.top_k", "corpora.<name>.source", "experiments.<name>.sweep"} <= set(explained)
    assert all(explained.values())
    for package in ("routers", "corpora", "tokenizers", "gates", "dispatch", "figures"):
        for name in registry.names(package):
            assert f"| `{name}` |" in text


def test_a_type_is_told_in_words():
    text = explain()
    for cell in (
        "| `model.num_layers` | integer >= 1 | `2` |",
        '| `model.drop_policy` | one of position, gate, none | `"position"` |',
        "| `training.seq_len` | integer >= 2 | `128` | tokens |",
        "| `tokenizer` | name of a file in moebench/tokenizers |",
        "| `text_file` | `path` | text | required |",
    ):
        assert cell in text


@every_page
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@every_page
def test_commands_name_what_there_is(page):
    targets = set(re.findall(r"^(\w+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for command in commands(page):
        program, *arguments = shlex.split(command)
        assert program in ("make", "snakemake", "python", "pytest", "."), command
        if program == "make":
            assert arguments[0] in targets, command
        if program == "snakemake":  # --config and --configfile take every word that follows
            _, given = parse_args(arguments)
            assert ("all" in arguments) == ("all" in given.targets), command
        if program == "python":
            assert arguments[0] == "-m", command
            assert provenance.exists(arguments[1]), command
        for each in arguments:
            if each.startswith(("config/", "tests/")):
                assert (ROOT / each).exists(), command


def test_the_tree_in_the_readme_names_every_folder_and_nothing_else():
    tree = re.search(r"## The repository\n\n```\n(.*?)```", (ROOT / "README.md").read_text(), re.S)
    named = {line.split()[0] for line in tree[1].splitlines()}
    folders = {path.partition("/")[0] + "/" for path in tracked() if "/" in path}
    hidden = {folder for folder in folders if folder.startswith(".")}
    assert named == (folders - hidden) | {"Makefile", "Snakefile"}


def test_the_readme_links_every_page():
    text = (ROOT / "README.md").read_text()
    for page in (ROOT / "docs").glob("*.md"):
        assert f"(docs/{page.name})" in text


def test_the_workflow_catalog_finds_what_it_looks_for():
    text = (ROOT / "README.md").read_text().lower()
    assert "snakemake" in text
    assert "workflow" in text
    for path in ("LICENSE", "config/README.md", "workflow/Snakefile"):
        assert (ROOT / path).is_file()


def test_the_page_of_routers_ends_with_what_the_program_explains(request):
    page, mark = ROOT / "docs" / "routers.md", "a test keeps it so.\n\n"
    written, found, told = page.read_text().partition(mark)
    assert found
    if request.config.getoption("--update-golden"):
        page.write_text(written + mark + explain_routers())
        told = explain_routers()
    assert told == explain_routers(), "run: pytest --update-golden tests/test_docs.py"


def test_every_router_has_its_row_and_its_paper():
    text = (ROOT / "docs" / "routers.md").read_text()
    for name in registry.names("routers"):
        [row] = re.findall(rf"^\| `{name}` \|.*", text, re.MULTILINE)
        assert re.search(r"arXiv:\d{4}\.\d{5}", row)
        [section] = re.findall(rf"^### `{name}`\n(.*?)(?=^###|\Z)", text, re.DOTALL | re.MULTILINE)
        for part in ("* Equation: ", "* When scoring", "* Use: ", "* Paper: arXiv:"):
            assert part in section, f"{name} has no {part!r}"


OF_SNAKEMAKE = ("Directory cannot be locked", "No such file or directory: 'all'")


def test_messages_that_are_explained_occur_in_the_code():
    code = " ".join(
        re.sub(r'"\s*\n\s*f?"', "", path.read_text())
        for path in [
            *(ROOT / "moebench").rglob("*.py"),
            ROOT / "Makefile",
            *(ROOT / "rules").glob("*.smk"),
        ]
    )
    page = (ROOT / "docs" / "errors.md").read_text()
    for row in page.splitlines():
        for message in re.findall(r"`([^`]+)`", row.split("|")[1]) if row.startswith("| `") else ():
            for part in message.split(" ... "):
                assert part in code or message in OF_SNAKEMAKE, message
