"""``python -m moebench``: the commands that there are, a line for each."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

FOLDER = Path(__file__).parent
COMMAND = re.compile(r"``python -m (moebench\.[\w.]+)[^`]*``: (.+)")


def commands() -> Iterator[tuple[str, str]]:
    """Each module that is a command, and what its docstring says that it does."""
    for path in sorted([*FOLDER.glob("*.py"), *FOLDER.glob("*/__main__.py")]):
        docstring = ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        if told := COMMAND.match(docstring):
            yield told[1], told[2]


def main() -> None:
    """Print the commands."""
    found = list(commands())
    width = max(len(name) for name, _ in found)
    for name, purpose in found:
        print(f"python -m {name:{width}}  {purpose}")
    print("\nEach of them explains itself with --help. What `make` does: make help")


if __name__ == "__main__":
    main()
