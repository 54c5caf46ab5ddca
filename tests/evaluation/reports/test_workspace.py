"""Rows of a study are shared between processes that work in one folder."""

import threading
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from openfoley.evaluation.reports import workspace
from openfoley.evaluation.reports.workspace import Workspace
from openfoley.evaluation.studies import study


def in_folder(folder: Path) -> study.Study:
    one = object.__new__(study.Study)
    one.workspace = Workspace(folder, {"study": "test"})
    return one


def at_once(work: Callable[[], object]) -> None:
    threads = [threading.Thread(target=work) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)


def test_two_at_once_compute_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "POLL_S", 0.01)
    computed: list[int] = []
    both_are_at_work = threading.Barrier(2, timeout=20)

    def compute(number: int) -> dict:
        if number < 2:
            both_are_at_work.wait()  # passed only if two clips are computed at the same time
        computed.append(number)
        return {"value": number}

    results: list[list[dict]] = []
    at_once(lambda: results.append(in_folder(tmp_path).rows(6, compute)))
    assert sorted(computed) == list(range(6))
    assert [[row["value"] for row in rows] for rows in results] == [list(range(6))] * 2
    assert not list((tmp_path / "sections").glob("*.lock"))


def test_candidates_fill_the_places_of_those_left_out(tmp_path: Path) -> None:
    computed: list[int] = []

    def compute(number: int) -> dict | None:
        computed.append(number)
        return {"value": number} if number % 2 else None

    rows = in_folder(tmp_path).rows(3, compute, candidates=20)
    assert [row["value"] for row in rows] == [1, 3, 5]
    assert computed == list(range(6))
    assert in_folder(tmp_path).rows(3, compute, candidates=20) == rows and len(computed) == 6
    assert [row["value"] for row in in_folder(tmp_path).rows(4, compute)] == [1, 3]


def test_two_at_once_compute_each_section_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "POLL_S", 0.01)
    both_are_at_work = threading.Barrier(2, timeout=20)
    computed: list[str] = []

    def compute(name: str) -> dict:
        both_are_at_work.wait()  # passed only if the two sections are computed at the same time
        computed.append(name)
        return {"name": name}

    results: list[list[dict]] = []
    tasks = {name: lambda name=name: compute(name) for name in ("soft", "hard")}
    at_once(lambda: results.append(list(Workspace(tmp_path, {}).sections(tasks).values())))
    assert sorted(computed) == ["hard", "soft"]
    assert [[one["name"] for one in sections] for sections in results] == [["soft", "hard"]] * 2


def test_two_at_once_make_each_sound_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workspace, "POLL_S", 0.01)
    both_are_at_work = threading.Barrier(2, timeout=20)
    made: list[int] = []

    def make(rows: range) -> torch.Tensor:
        if rows.start < 2 * workspace.ROWS_AT_ONCE:
            both_are_at_work.wait()
        made.extend(rows)
        return torch.arange(rows.start, rows.stop)[:, None, None].expand(-1, 2, 4) / 32767

    results: list[np.ndarray] = []
    at_once(lambda: results.append(Workspace(tmp_path, {}).sounds("x", (11, 2, 4), make)))
    assert sorted(made) == list(range(11))
    assert all((sounds[:, 0, 0] == np.arange(11)).all() for sounds in results) and len(results) == 2
