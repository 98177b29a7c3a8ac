"""Hold 800 MB for some seconds: more than the first attempt may, less than the second."""

import time
from pathlib import Path

held = b"x" * 800_000_000
time.sleep(5)
Path(snakemake.output[0]).write_text(f"{len(held)}\n")
