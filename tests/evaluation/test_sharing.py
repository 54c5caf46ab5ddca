"""Rows of a study are shared between processes that work in one folder."""

import threading
from pathlib import Path

import pytest

from openfoley.evaluation.studies import study
from openfoley.evaluation.workspace import Workspace


def in_folder(folder: Path) -> study.Study:
    one = object.__new__(study.Study)
    one.workspace = Workspace(folder, {"study": "test"})
    return one


def test_two_at_once_compute_every_row_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(study, "POLL_S", 0.01)
    computed: list[int] = []
    both_are_at_work = threading.Barrier(2, timeout=20)

    def compute(number: int) -> dict:
        if number < 2:
            both_are_at_work.wait()  # passed only if two clips are computed at the same time
        computed.append(number)
        return {"value": number}

    results: list[list[dict]] = []
    threads = [threading.Thread(target=lambda: results.append(in_folder(tmp_path).rows(6, compute))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
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
    monkeypatch.setattr(study, "POLL_S", 0.01)
    both_are_at_work = threading.Barrier(2, timeout=20)
    computed: list[str] = []

    def compute(name: str) -> dict:
        both_are_at_work.wait()  # passed only if the two sections are computed at the same time
        computed.append(name)
        return {"name": name}

    results: list[list[dict]] = []
    tasks = {name: lambda name=name: compute(name) for name in ("soft", "hard")}
    threads = [threading.Thread(target=lambda: results.append(in_folder(tmp_path).sections(tasks))) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=30)
    assert sorted(computed) == ["hard", "soft"]
    assert [[one["name"] for one in sections] for sections in results] == [["soft", "hard"]] * 2
