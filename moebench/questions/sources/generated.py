"""Made up by a seeded generator: sums, memory and copying, with answers that can be checked.

Three kinds in equal shares, all written with lower-case letters, digits and a few signs:

* ``sum``: two numbers below ``largest`` are added; the wrong options are near the right one.
* ``recall``: a table of ``num_facts`` made-up names with a colour each, drawn once by the seed. The
  colour is learnt from other questions about the same name, put in other words.
* ``copy``: a made-up word stands in the question, among others, and is asked for by its place.

The same seed gives the same questions on every machine. ``check`` works out a question's answer
from its text alone, so that no answer has to be believed.
"""

import random
import re
from collections.abc import Iterator

from moebench.questions.question import Question, QuestionError
from moebench.questions.sources.base import Part, Source

COLOURS = ("red", "blue", "green", "black", "white", "brown", "grey", "pink")
PLACES = ("first", "second", "third")
_CONSONANTS, _VOWELS = "bcdfghklmnprst", "aeiou"
_SUMS = ("what is {a} + {b}?", "add {b} to {a}.", "the sum of {a} and {b} is?", "{a} plus {b} is?")
_OPENINGS = ("", "say, ", "tell me: ", "one more: ", "now: ", "from memory: ")
_RECALLS = (
    "which colour has {name}?",
    "what is the colour of {name}?",
    "name the colour of {name}.",
    "{name} has which colour?",
    "of {name}, give the colour.",
)
_COPIES = (
    "take the {place} word of: {words}.",
    "which word is {place} in: {words}?",
    "write the {place} of these words: {words}.",
)
_MOST_TRIES = 1000  # in a row without a new question


class Generated(Source):
    """So many different questions, and fewer only by an error."""

    licence = "MIT"
    origin = "moebench.questions.sources.generated"

    def __init__(
        self,
        *,
        num_questions: int = 900,
        seed: int = 0,
        largest: int = 10,
        num_facts: int = 12,
        num_options: int = 4,
    ):
        for name, value, low, high in (
            ("num_questions", num_questions, 1, 1_000_000),
            ("largest", largest, 2, 10_000),
            ("num_facts", num_facts, 1, 1000),
            ("num_options", num_options, 2, len(COLOURS)),
        ):
            if not low <= value <= high:
                raise QuestionError(f"generated: {name}={value} must be in {low}..{high}")
        self.num_questions = num_questions
        self.seed = seed
        self.largest = largest
        self.num_options = num_options
        self.facts_by_name = facts(seed, num_facts)

    def questions(self) -> Iterator[tuple[Question, Part | None]]:
        """Questions of the three kinds in turn; none is asked twice."""
        rng = random.Random(self.seed)
        kinds = (self._sum, self._recall, self._copy)
        seen: set[tuple[str, str]] = set()
        for number in range(self.num_questions):
            make = kinds[number % len(kinds)]
            tries = (make(rng) for _ in range(_MOST_TRIES))
            question = next((each for each in tries if each.key not in seen), None)
            if question is None:
                raise QuestionError(
                    f"generated: there are no {self.num_questions} different questions with "
                    f"largest={self.largest} and num_facts={len(self.facts_by_name)}; ask for "
                    "fewer, or raise these"
                )
            seen.add(question.key)
            yield question, None

    def _sum(self, rng: random.Random) -> Question:
        a, b = rng.randrange(self.largest), rng.randrange(self.largest)
        near = [a + b + step for step in range(-10, 11) if step and a + b + step >= 0]
        wrong = rng.sample(near, self.num_options - 1)
        text = rng.choice(_SUMS).format(a=a, b=b)
        return self._asked(rng, text, str(a + b), [str(each) for each in wrong])

    def _recall(self, rng: random.Random) -> Question:
        name = rng.choice(list(self.facts_by_name))
        answer = self.facts_by_name[name]
        wrong = rng.sample([each for each in COLOURS if each != answer], self.num_options - 1)
        text = rng.choice(_OPENINGS) + rng.choice(_RECALLS).format(name=name)
        return self._asked(rng, text, answer, wrong)

    def _copy(self, rng: random.Random) -> Question:
        words = [made_up_word(rng) for _ in PLACES]
        others = [made_up_word(rng) for _ in range(self.num_options)]
        place = rng.randrange(len(PLACES))
        answer = words[place]
        wrong = [each for each in dict.fromkeys([*words, *others]) if each != answer]
        text = rng.choice(_COPIES).format(place=PLACES[place], words=" ".join(words))
        return self._asked(rng, text, answer, wrong[: self.num_options - 1])

    def _asked(self, rng: random.Random, text: str, answer: str, wrong: list[str]) -> Question:
        options = [answer, *wrong]
        rng.shuffle(options)
        question = Question(
            instruction=f"{text}\n\nAnswer format: {'/'.join(options)}",
            input="",
            output=f"the answer is {answer}",
            answer=answer,
        )
        question.check("generated")
        return question


def facts(seed: int, num_facts: int) -> dict[str, str]:
    """The table behind ``recall``: made-up names, each with a colour."""
    rng = random.Random(f"facts {seed}")
    found: dict[str, str] = {}
    while len(found) < num_facts:
        found[made_up_word(rng)] = rng.choice(COLOURS)
    return found


def made_up_word(rng: random.Random) -> str:
    """Consonant and vowel, twice, and a consonant."""
    syllables = [rng.choice(_CONSONANTS) + rng.choice(_VOWELS) for _ in range(2)]
    return "".join(syllables) + rng.choice(_CONSONANTS)


def check(question: Question, facts_by_name: dict[str, str]) -> str:
    """The right answer, worked out from the words of the question."""
    text = question.instruction.partition("\n")[0]
    numbers = re.findall(r"\d+", text)
    if numbers:
        return str(sum(map(int, numbers)))
    place = re.search("|".join(PLACES), text)
    if place:
        return text.partition(": ")[2].rstrip(".?").split()[PLACES.index(place[0])]
    [name] = set(re.findall(r"\w+", text)) & set(facts_by_name)
    return facts_by_name[name]
