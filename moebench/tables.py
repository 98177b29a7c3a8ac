"""Tables: CSV files that every program opens and that read back as they were written.

UTF-8, one header line, commas, quotes only where needed (RFC 4180, with plain line feeds), floats
with all the digits that tell them apart, an empty field for null. Equal tables give equal bytes.
"""

from pathlib import Path

import pandas as pd
import pandera.pandas as pa

from moebench.records import write_text


class TableError(ValueError):
    """A table holds what its schema forbids."""


def check(table: pd.DataFrame, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Return the table with the schema's types, its columns first, any others after them.

    Raises TableError, in one line, for the first value that is not allowed.
    """
    try:
        valid = schema.validate(table)
    except pa.errors.SchemaError as error:
        account = " ".join(str(error).split())
        raise TableError(f"table {schema.name} is not valid: {account}") from None
    others = [column for column in valid.columns if column not in schema.columns]
    return valid[[*schema.columns, *others]].reset_index(drop=True)


def write(table: pd.DataFrame, path: str | Path) -> None:
    """Write a table; the file appears under its name only when it is whole."""
    write_text(table.to_csv(index=False, lineterminator="\n"), path)


def read(path: str | Path, schema: pa.DataFrameSchema) -> pd.DataFrame:
    """Read a table and check it; only an empty field is null."""
    return check(read_plain(path), schema)


def read_plain(path: str | Path) -> pd.DataFrame:
    """Read a table whose schema is not asked for; only an empty field is null."""
    return pd.read_csv(path, keep_default_na=False, na_values=[""])
