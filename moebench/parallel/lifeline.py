"""A connection from every rank to the process that started it, which shows who died first.

Whatever ends a process closes its connections, on whatever host and under whatever launcher: the
parent sees which rank was the first to go without a goodbye, and ranks see their parent go.
Messages are lines of JSON. A rank's first is ``{"rank": r, "password": p}``; then it may send
``address``, which the parent passes on to all ranks, ``failed``, a line on why it gives up, and
``done``. A parent that is asked to end says ``end``, which is SIGTERM to a rank, on whatever host.
"""

import json
import os
import queue
import signal
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any, Self

VARIABLE = "MOEBENCH_LIFELINE"  # host, port and password of the parent, with spaces between
_REACH_S = 10.0
_END_S = 10.0


class Lifeline:
    """A rank's end of the line. Ends this process when the parent is gone."""

    def __init__(self, host: str, port: int, password: str, rank: int):
        try:
            self._line = socket.create_connection((host, port), timeout=_REACH_S)
        except OSError as error:
            raise ValueError(
                f"rank {rank} cannot reach the process that started it at {host}:{port} ({error}); "
                "name a host that all ranks can reach"
            ) from error
        self._line.settimeout(None)
        self._addresses: queue.Queue[tuple[str, int]] = queue.Queue()
        self.say(rank=rank, password=password)
        threading.Thread(target=self._listen, daemon=True).start()

    @classmethod
    def of(cls, rank: int, environ: Mapping[str, str] = os.environ) -> Self | None:
        """The line that the environment names; None for ranks that were started by hand."""
        if VARIABLE not in environ:
            return None
        host, port, password = environ[VARIABLE].split()
        return cls(host, int(port), password, rank)

    def say(self, **message: Any) -> None:
        """Send one message."""
        self._line.sendall(json.dumps(message).encode() + b"\n")

    def own_host(self) -> str:
        """Address of this host, as the parent sees it."""
        host: str = self._line.getsockname()[0]
        return host

    def announced(self, timeout_s: float) -> tuple[str, int]:
        """Wait for the address that some rank has made known."""
        try:
            return self._addresses.get(timeout=timeout_s)
        except queue.Empty:
            raise ValueError(f"no rank has opened a meeting place within {timeout_s} s") from None

    def wait_to_be_ended(self) -> None:
        """Sleep until the parent drops the line, which ends this process; return if it does not."""
        time.sleep(_END_S)

    def _listen(self) -> None:
        with self._line.makefile() as lines:
            for line in lines:
                message = json.loads(line)
                if "end" in message:
                    os.kill(os.getpid(), signal.SIGTERM)
                else:
                    host, port = message["address"]
                    self._addresses.put((host, port))
        os._exit(1)
