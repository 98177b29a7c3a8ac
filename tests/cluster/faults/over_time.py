"""Work without end until SIGTERM leaves a checkpoint; the next attempt goes on from there."""

import itertools
import time
from pathlib import Path

from moebench import termination

checkpoint = Path("over_time.checkpoint")
if not checkpoint.exists():
    with termination.noticed() as is_to_end:
        for step in itertools.count(1):
            time.sleep(0.5)
            if is_to_end():
                checkpoint.write_text(str(step))
                raise termination.stopped(step, step + 1)
Path(snakemake.output[0]).write_text(checkpoint.read_text())
