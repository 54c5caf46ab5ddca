"""Where Warp keeps compiled kernels; found and checked without importing it."""

import os
from pathlib import Path

from openfoley.errors import OutputError


def kernel_cache() -> Path:
    """WARP_CACHE_PATH, else `warp` in the user's cache folder."""
    if own := os.environ.get("WARP_CACHE_PATH"):
        return Path(own)
    # Warp would take an empty or relative XDG_CACHE_HOME for a folder in the working folder.
    base = os.environ.get("XDG_CACHE_HOME", "")
    return (Path(base) if os.path.isabs(base) else Path.home() / ".cache") / "warp"


def check_kernel_cache() -> None:
    """OutputError where kernels cannot be written. A folder that already holds some may be read-only."""
    folder = kernel_cache()
    nearest = next(path for path in (folder, *folder.parents) if path.exists())
    writable = nearest.is_dir() and os.access(nearest, os.W_OK | os.X_OK)
    if not writable and not (folder.is_dir() and any(folder.iterdir())):
        raise OutputError(
            f"cannot write compiled kernels into {str(folder)!r}; set WARP_CACHE_PATH to a folder that can be written"
        )
