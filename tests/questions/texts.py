"""Questions and files of them, as a user might have them."""

import json


def record(number=1, **changes):
    return {
        "instruction": f"is {number} even?\n\nAnswer format: true/false",
        "input": "",
        "output": f"the answer is {'false' if number % 2 else 'true'}",
        "answer": "false" if number % 2 else "true",
    } | changes


def folder_of(path, **files):
    """A folder of JSON files, each with some content."""
    path.mkdir(exist_ok=True)
    for name, content in files.items():
        text = content if isinstance(content, str) else json.dumps(content)
        (path / f"{name}.json").write_text(text, encoding="utf-8")
    return path
