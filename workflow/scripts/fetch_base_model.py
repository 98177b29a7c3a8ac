"""Download the base model that adapters are put on."""

from pathlib import Path

from job import job

from moebench import provenance, records
from moebench.perft.hub import fetch

with job(snakemake):
    folder = Path(snakemake.output.config).parent
    fetch(snakemake.params.name, snakemake.params.revision, folder)
    weights = sorted(folder.glob("*.safetensors"))
    lines = [f"{provenance.file_digest(file)}  {file.name}\n" for file in weights]
    records.write_text("".join(lines), snakemake.output.files)
