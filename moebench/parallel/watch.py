"""The parent's side of starting ranks: watch over them, and end them all when one dies."""

import contextlib
import json
import math
import queue
import secrets
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, TextIO

import psutil

from moebench.parallel.lifeline import VARIABLE

_LOOK_S = 0.1
_SETTLE_S = 0.5  # for the death that made a rank fail to be heard of
_GRACE_S = 3.0  # for a launcher to end by itself, and for the last words of its ranks to arrive
LOOPBACK = "127.0.0.1"


class RanksError(ValueError):
    """Ranks could not be started, or one of them died."""


def run(
    command: Sequence[str],
    num_ranks: int,
    environ: Mapping[str, str],
    host: str = LOOPBACK,
    is_to_end: Callable[[], bool] = lambda: False,
) -> None:
    """Start ranks with a launcher's command line, and wait for all of them.

    Raises RanksError, in one line, naming the rank that died first; by then all others have been
    ended. ``host`` is where ranks reach this process: a name of this host if others take part.
    Once ``is_to_end`` says so, all ranks get SIGTERM, and end in their own time.
    """
    program = found(command[0])
    with socket.create_server((LOOPBACK if host == LOOPBACK else "", 0)) as server:
        watch = Watch(server, num_ranks)
        line = f"{host} {server.getsockname()[1]} {watch.password}"
        process = subprocess.Popen(
            [program, *command[1:]],
            env={**environ, VARIABLE: line},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        relays = [_relay(process.stdout, sys.stdout), _relay(process.stderr, sys.stderr)]
        try:
            watch.until_over(lambda: process.poll() is not None, is_to_end)
            if watch.is_done:
                _wait(process)
        finally:
            _end(process)
            watch.close()
            for relay in relays:
                relay.join(_GRACE_S)
    if watch.death is not None:
        raise RanksError(f"{watch.death}; the other ranks were ended")
    if not watch.is_done:
        raise RanksError(
            f"{command[0]} ended with exit code {process.returncode} when {watch.num_met} of "
            f"{num_ranks} ranks had started; what it printed says why"
        )


def _relay(source: IO[str] | None, target: TextIO) -> threading.Thread:
    """Pass on what ranks print, to wherever this process prints now: a log, or the terminal."""
    assert source is not None, "output comes through a pipe"

    def pass_on(source: IO[str]) -> None:
        with source:
            for line in source:
                target.write(line)
                target.flush()

    relay = threading.Thread(target=pass_on, args=[source], daemon=True)
    relay.start()
    return relay


def found(launcher: str) -> str:
    """Path of a launcher: on PATH, or beside the Python that runs this."""
    path = shutil.which(launcher) or shutil.which(launcher, path=str(Path(sys.executable).parent))
    if path is None:
        raise RanksError(
            f"launcher {launcher!r} is not on PATH; 'pip install mpich' brings mpiexec and torch "
            "brings torchrun, or name your site's launcher"
        )
    return path


def _wait(process: "subprocess.Popen[str]") -> None:
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_S)


def _end(process: "subprocess.Popen[str]") -> None:
    """End a launcher and whatever it has started and still knows of."""
    with contextlib.suppress(psutil.NoSuchProcess):
        launcher = psutil.Process(process.pid)
        family = [*launcher.children(recursive=True), launcher]
        for each in family:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(family, _GRACE_S)
    process.wait()


class Watch:
    """What the parent has heard from its ranks; ``death`` says which was the first to die."""

    def __init__(self, server: socket.socket, num_ranks: int):
        self.password = secrets.token_hex(8)
        self._silent: str | None = None
        self._failed: str | None = None
        self._num_ranks = num_ranks
        self._lines: dict[int, socket.socket] = {}
        self._done: set[int] = set()
        self._told: bytes = b""  # to all ranks; who comes late hears it too
        self._has_told_to_end = False
        # What ranks said, in the order of its coming; None where a line was closed.
        self._heard: queue.Queue[tuple[int, dict[str, Any] | None]] = queue.Queue()
        self._server = server
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def death(self) -> str | None:
        """Which rank was the first to die, and of what; None while none has."""
        return self._silent or self._failed

    @property
    def num_met(self) -> int:
        """Ranks that have been heard of."""
        return len(self._lines)

    @property
    def is_done(self) -> bool:
        """Whether every rank has said goodbye."""
        return len(self._done) == self._num_ranks

    def until_over(
        self, has_ended: Callable[[], bool], is_to_end: Callable[[], bool] = lambda: False
    ) -> None:
        """Listen until all ranks are done, one is dead, or the launcher ended some time ago.

        Ranks are told once that they are to end. A rank that fails waits to be ended. So one that
        goes silently soon after was not ended for it, but went first, and the other failed for want
        of it.
        """
        limit_s = math.inf
        while self._silent is None and not self.is_done and time.monotonic() < limit_s:
            with contextlib.suppress(queue.Empty):
                self._note(*self._heard.get(timeout=_LOOK_S))
            if is_to_end() and not self._has_told_to_end:
                self._has_told_to_end = True
                self._tell(end=True)
            if self._failed is not None:
                limit_s = min(limit_s, time.monotonic() + _SETTLE_S)
            elif has_ended():
                limit_s = min(limit_s, time.monotonic() + _GRACE_S)

    def close(self) -> None:
        """Drop all lines, which ends ranks that could not be killed from here."""
        for line in [self._server, *self._lines.values()]:
            with contextlib.suppress(OSError):
                line.shutdown(socket.SHUT_RDWR)
            line.close()

    def _note(self, rank: int, message: dict[str, Any] | None) -> None:
        who = f"rank {rank} of {self._num_ranks}"
        if message is None and rank not in self._done:
            self._silent = f"{who} died without a word: it was killed, or out of memory"
        elif message is not None and "failed" in message:
            self._failed = self._failed or f"{who} failed: {message['failed']}"
        elif message is not None and "done" in message:
            self._done.add(rank)
        elif message is not None and "address" in message:
            self._tell(**message)

    def _tell(self, **message: Any) -> None:
        text = json.dumps(message).encode() + b"\n"
        self._told += text
        for line in list(self._lines.values()):
            with contextlib.suppress(OSError):  # of a rank that has gone
                line.sendall(text)

    def _accept(self) -> None:
        while True:
            try:
                line, _ = self._server.accept()
            except OSError:  # closed: the ranks are over
                return
            threading.Thread(target=self._read, args=[line], daemon=True).start()

    def _read(self, line: socket.socket) -> None:
        """Pass on what one rank says, until it goes."""
        with contextlib.suppress(OSError), line, line.makefile() as messages:
            first = json.loads(messages.readline() or "{}")
            if first.get("password") != self.password:
                return
            rank = int(first["rank"])
            self._lines[rank] = line
            if self._told:
                line.sendall(self._told)
            with contextlib.suppress(OSError):  # a reset, which is a way to go too
                for text in messages:
                    self._heard.put((rank, json.loads(text)))
            self._heard.put((rank, None))
