"""The errors a user can meet. Each message is one line: what was given, what is allowed, what to do next.

`cli` maps them to an exit code in one place: UsageError is 2, every other OpenFoleyError is 1.
"""


class OpenFoleyError(Exception):
    """Anything that OpenFoley can explain."""


class UsageError(OpenFoleyError):
    """A bad argument: out of range, missing input, output exists. Found before any heavy work."""


class MediaError(OpenFoleyError):
    """A media file that cannot be read: empty, truncated, damaged, without a picture."""


class WeightsError(OpenFoleyError):
    """Weights or a model configuration that cannot be used: missing, of another shape, of another format."""


class OutputError(OpenFoleyError):
    """An output that cannot be written: no permission, no such folder, disk full."""
