"""What recipes share: calls and studies divided between processes, a core each."""

from __future__ import annotations

import logging
import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from openfoley.evaluation.studies.requests import StudyRequest


def each(work: Callable[..., Any], calls: Sequence[tuple[Any, ...]], workers: int) -> list[Any]:
    """The results of `work` for each of the calls, by so many processes. `work` is a function of a module."""
    with ProcessPoolExecutor(workers, multiprocessing.get_context("spawn"), initializer=_prepare) as pool:
        futures = [pool.submit(work, *call) for call in calls]
        return [future.result() for future in futures]


def measured(request: StudyRequest, workers: int) -> dict[str, Any]:
    """The record of a study, whose clips the processes divide; its tables are printed."""
    record, *_ = each(_measure, [(request,)] * workers, workers)
    print(f"\n{request.out}:\n{(request.out / 'results.md').read_text(encoding='utf-8')}", flush=True)
    return record


def _measure(request: StudyRequest) -> dict[str, Any]:
    return request.run()


def _prepare() -> None:
    import torch

    from openfoley.nn.process import prepare_process

    torch.set_num_threads(1)
    prepare_process()
    logging.basicConfig(level=logging.INFO, format="%(process)d: %(message)s")
