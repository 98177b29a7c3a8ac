"""What a rank has sent, and, while its clock runs, where its time went."""

import time
from collections import Counter, defaultdict
from collections.abc import Callable
from typing import NamedTuple

Clock = Callable[[], float]


class Message(NamedTuple):
    """One collective as one rank sees it.

    ``num_bytes`` is what the rank hands over, whatever algorithm carries it out: its summand
    (all_reduce), its rows (all_gather), all its summands (reduce_scatter), the rows that leave it
    (all_to_all), the message (broadcast, also where it is received).
    """

    collective: str
    num_bytes: int
    group_size: int


class Trace:
    """Counts every collective; between ``start`` and ``stop`` it also splits time into parts.

    While it splits, ranks meet before every collective, so that waiting for the slowest shows as
    ``waiting`` and not as the collective: such calls are slower than undisturbed ones.
    """

    def __init__(self) -> None:
        self.sent: Counter[Message] = Counter()
        self.clocked: list[Message] = []  # while time was split, in the order of the calls
        self.parts_s: defaultdict[str, float] = defaultdict(float)
        self._clock: Clock | None = None
        self._last_s = 0.0
        self._pending_s = 0.0

    @property
    def is_timing(self) -> bool:
        """Whether time is being split."""
        return self._clock is not None

    def reset(self) -> None:
        """Forget what was counted and clocked."""
        self.sent.clear()
        self.clocked.clear()
        self.parts_s.clear()

    def start(self, clock: Clock = time.perf_counter) -> None:
        """Begin to split time."""
        self._clock, self._last_s, self._pending_s = clock, clock(), 0.0

    def stop(self, part: str) -> None:
        """End splitting; what no part has claimed yet goes to ``part``."""
        self.mark(part)
        self._clock = None

    def mark(self, part: str) -> None:
        """Book the time since the last mark, collectives apart, on ``part``: its work ends here."""
        if self._clock is not None:
            self.parts_s[part] += self._lap_s() + self._pending_s
            self._pending_s = 0.0

    def carry_out(
        self, message: Message, barrier: Callable[[], None], run: Callable[[], None]
    ) -> None:
        """Run a collective with its waiting and its own time apart."""
        self.clocked.append(message)
        self._pending_s += self._lap_s()
        barrier()
        self.parts_s["waiting"] += self._lap_s()
        run()
        self.parts_s[message.collective] += self._lap_s()

    def _lap_s(self) -> float:
        assert self._clock is not None
        now_s = self._clock()
        lap_s, self._last_s = now_s - self._last_s, now_s
        return lap_s
