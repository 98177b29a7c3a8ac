"""What there is to type can be found by typing it."""

import re
import subprocess
import sys

from moebench import __main__ as commands
from tests.specs import ROOT

MAKEFILE = (ROOT / "Makefile").read_text()


def test_make_alone_lists_every_target_that_has_a_word_of_explanation_and_does_nothing_else():
    run = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True)
    told = re.findall(r"^make (\w+) ", run.stdout, re.MULTILINE)
    assert told == re.findall(r"^(\w+):.*## ", MAKEFILE, re.MULTILINE)
    assert {"all", "test", "check", "report", "clean"} <= set(told)


def test_every_command_of_the_library_is_listed_with_its_purpose():
    run = subprocess.run(
        [sys.executable, "-m", "moebench"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    listed = re.findall(r"^python -m (moebench\.\w+) +(\S.*)$", run.stdout, re.MULTILINE)
    assert listed == list(commands.commands())
    documented = {
        name
        for page in [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("config/*.md")]
        for name in re.findall(r"python -m (moebench\.\w+)", page.read_text())
    }
    assert documented <= {name for name, _ in listed}
