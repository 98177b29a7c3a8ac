"""Half a second a step for longer than the first attempt may take; SIGTERM leaves a checkpoint."""

import time
from pathlib import Path

from moebench import termination

NUM_STEPS = 120

checkpoint = Path("over_time.checkpoint")
steps = checkpoint.read_text().splitlines() if checkpoint.exists() else []
resumed_after = len(steps)
with termination.noticed() as is_to_end:
    while len(steps) < NUM_STEPS:
        time.sleep(0.5)
        steps.append(str(len(steps) + 1))
        if is_to_end():
            checkpoint.write_text("\n".join(steps))
            raise termination.stopped(len(steps), NUM_STEPS)
Path(snakemake.output[0]).write_text(f"{resumed_after} {len(steps)} {len(set(steps))}\n")
