"""Classes of tokens: what kind of character a token begins with."""

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

CLASSES = ("lower case", "upper case", "digit", "space", "line break", "punctuation", "other")

_BYTE = re.compile(r"<0x([0-9A-Fa-f]{2})>")
_NAMED = re.compile(r"<\w+>")  # end of document, unknown
_MARKS_OF_SPACE = ("\u0120", "\u2581")  # with which subword vocabularies write a leading space


def class_V(vocabulary: Sequence[str]) -> NDArray[np.intp]:
    """Number in CLASSES of every entry of a vocabulary."""
    return np.array([CLASSES.index(class_of(name)) for name in vocabulary], dtype=np.intp)


def class_of(name: str) -> str:
    """Class of a token by its readable name: of its first character that is no space, if any."""
    byte = _BYTE.fullmatch(name)
    if byte:
        code = int(byte[1], 16)
        return _of_character(chr(code)) if code < 128 else "other"
    if _NAMED.fullmatch(name) or not name:
        return "other"
    text = name
    for mark in _MARKS_OF_SPACE:
        text = text.replace(mark, " ")
    return _of_character((text.strip() or text)[0])


def _of_character(character: str) -> str:
    tests = {
        "line break": character in "\r\n",
        "space": character.isspace(),
        "digit": character.isdigit(),
        "upper case": character.isupper(),
        "lower case": character.isalpha(),
        "punctuation": character.isascii() and character.isprintable(),
    }
    return next((name for name, holds in tests.items() if holds), "other")
