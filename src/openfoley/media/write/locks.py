"""Locks between processes. The operating system lets go when a process ends, however it ends: none is ever stale."""

from __future__ import annotations

import os


def try_lock(descriptor: int) -> bool:
    """Lock an open file for this process alone, without waiting; False where somebody else holds it."""
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
