import pytest

from moebench.spec import CorpusSpec
from moebench.text.export import CorpusFiles, export
from moebench.text.tokenise import TokenFiles

TOKEN_FILES = ("train.npy", "validation.npy", "tokens.json", "tokenizer.json")

# Distinct paragraphs of unlike lengths, with characters of one to four bytes.
STORY = "\n\n".join(
    f"Story {number}:\n{'the cat saw the dog and ' * (number % 7 + 1)}left “{chr(65 + number)}” 😀."
    for number in range(40)
)


@pytest.fixture
def story_path(tmp_path):
    path = tmp_path / "story.txt"
    path.write_text(STORY, encoding="utf-8")
    return path


@pytest.fixture
def export_text(tmp_path):
    """Export a text, given as a string, and return where the corpus lies."""

    def run(text, name="corpus", **settings):
        path = tmp_path / f"{name}.txt"
        path.write_bytes(text.encode())
        files = corpus_files(tmp_path / name)
        export(CorpusSpec(source="text_file", path=str(path), **settings), files)
        return files

    return run


def corpus_files(folder):
    return CorpusFiles(*(folder / n for n in ("train.jsonl", "validation.jsonl", "manifest.json")))


def token_files(folder):
    return TokenFiles(*(folder / name for name in TOKEN_FILES))
