"""Locks between processes. The operating system releases them when a process ends, so none is stale.

Not filelock: it locks a path that it opens itself and keeps the descriptor private. Temporary files are locked by the
descriptor they are written through, and a stale one is recognised by `fstat` of the locked descriptor.
"""

from __future__ import annotations

import os


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process without waiting; False if another process holds it."""
    try:
        if os.name == "nt":
            import msvcrt

            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
        else:
            import fcntl

            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return False
    return True
