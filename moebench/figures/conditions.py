"""Names of conditions: an experiment, and the value of each setting that it sweeps."""

SHORT = {"capacity_factor": "CF"}


def label(condition: str, separator: str = " ") -> str:
    """Name of a condition for a reader: ``unified CF 1.25``."""
    experiment, *settings = condition.split(", ")
    pairs = [setting.partition("=")[::2] for setting in settings]
    named = [f"{SHORT.get(key, key.replace('_', ' '))} {value}" for key, value in pairs]
    return separator.join([experiment.replace("_", " "), *named])
