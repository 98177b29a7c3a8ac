"""SIGTERM: what a cluster sends a job some time before it ends it."""

import contextlib
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator


class Terminated(OSError):
    """This process was asked to end, and did so when all it had done was written down."""


@contextlib.contextmanager
def noticed() -> Iterator[Callable[[], bool]]:
    """Note SIGTERM instead of dying of it; what is yielded says whether it has come.

    For loops that look at it between steps. Only the main thread may set this up.
    """
    has_come = threading.Event()
    before = signal.signal(signal.SIGTERM, lambda *_: has_come.set())
    try:
        yield has_come.is_set
    finally:
        signal.signal(signal.SIGTERM, before)


@contextlib.contextmanager
def passed_on(child: subprocess.Popen[str]) -> Iterator[None]:
    """Pass SIGTERM on to a child that notices it, instead of dying of it and leaving it alone."""
    before = signal.signal(signal.SIGTERM, lambda *_: child.terminate())
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def stopped(step: int, num_steps: int) -> Terminated:
    """What to raise after such a step, once it is in the checkpoint."""
    return Terminated(
        f"asked to end (SIGTERM) after step {step} of {num_steps}, which is in the checkpoint; "
        "the same command goes on from there"
    )
