"""The errors a user can meet. Each message is one line: what was given, what is allowed, what to do next.

`cli` maps them to an exit code in one place: UsageError is 2, every other OpenFoleyError is 1.
"""

from importlib.util import find_spec


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


def require_package(package: str, extra: str, purpose: str) -> None:
    """UsageError, before any work, where the package of an optional extra is not installed."""
    try:
        is_here = find_spec(package) is not None
    except ValueError:  # a None in sys.modules forbids it
        is_here = False
    if not is_here:
        raise UsageError(f"{purpose} needs {package}, which is not installed; pip install 'openfoley[{extra}]'")
