import pandas as pd
import pandera.pandas as pa
import pytest

from moebench.analysis.columns import conserves

SCHEMA = pa.DataFrameSchema(checks=[conserves("rate", "time", "amount")])


@pytest.mark.parametrize("row", [(2.0, 3.0, 6.0), (None, 3.0, 6.0)])
def test_a_rate_that_fits_its_time_or_is_not_known_passes(row):
    SCHEMA.validate(pd.DataFrame([row], columns=["rate", "time", "amount"], dtype=float))


@pytest.mark.parametrize("row", [(2.0, 3.0, 7.0), (0.0, 3.0, 0.0), (2.0, 3.0, 0.0)])
def test_a_rate_that_does_not_fit_and_one_of_nothing_are_refused(row):
    with pytest.raises(pa.errors.SchemaError, match=r"rate \* time is not amount"):
        SCHEMA.validate(pd.DataFrame([row], columns=["rate", "time", "amount"], dtype=float))
