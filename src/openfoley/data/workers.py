"""Parallel rendering processes with one thread each, and progress logging."""

import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from typing import TypeVar

from openfoley.errors import OpenFoleyError

logger = logging.getLogger(__name__)
T = TypeVar("T")


@contextmanager
def render_pool(workers: int | None = None) -> Iterator[Executor]:
    """workers: as many as cores if None. Raises OpenFoleyError if one of them dies (out of memory)."""
    spawn = multiprocessing.get_context("spawn")
    pool = ProcessPoolExecutor(workers or os.cpu_count() or 1, spawn, initializer=begin_worker)
    try:
        yield pool
    except BrokenProcessPool:
        raise OpenFoleyError(
            "a worker process ended unexpectedly; free some memory and run the same command again"
        ) from None
    except BaseException:  # their remaining work is discarded
        for process in list((pool._processes or {}).values()):  # Python 3.14 has terminate_workers for it
            process.terminate()
        raise
    finally:
        pool.shutdown(cancel_futures=True)


def begin_worker() -> None:
    """One thread; Ctrl-C is left to the parent, and the worker ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    one_thread()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def one_thread() -> None:
    """For the workers of a pool: as many processes as cores, each with one thread."""
    import torch

    from openfoley.nn.process import prepare_process

    prepare_process()
    torch.set_num_threads(1)


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


def logged(
    items: Sequence[T] | Iterator[T], name: str, *, unit: str, every: int, total: int | None = None
) -> Iterator[T]:
    """The items, with a log line after every so many and after the last: count, speed, remaining time. total: for an
    iterator."""
    total = len(items) if isinstance(items, Sequence) else total or 0
    begun = time.monotonic()
    for done, item in enumerate(items, start=1):
        yield item
        if done % every == 0 or done == total:
            rate = done / (time.monotonic() - begun)
            logger.info("%s: %d/%d %s, %.2f/s, %.0f s left", name, done, total, unit, rate, (total - done) / rate)
