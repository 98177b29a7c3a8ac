"""No meter, by choice: measures nothing, and says why."""

from collections.abc import Sequence

from moebench.meters.base import KINDS, Clock, Domain, Meter, MeterError, Reading


class Null(Meter):
    """Always unavailable, for the given reason."""

    kinds = KINDS
    is_automatic = False

    def __init__(self, clock: Clock, *, reason: str = "no meter was asked for"):
        super().__init__(clock)
        self.reason = reason

    def open(self, devices: Sequence[str] | None) -> tuple[list[Domain], dict[str, str]]:
        """Refuse, with the reason."""
        raise MeterError(self.reason)

    def read(self) -> dict[str, Reading]:
        """Nothing."""
        return {}
