"""The figures and tables of the study of selection, from the rows of its clips (`selection.scores`)."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from openfoley.evaluation.metrics.f1 import f1_difference, f1_of, relative_f1
from openfoley.evaluation.metrics.selection import margin_db
from openfoley.evaluation.stats.bootstrap import ratio_interval
from openfoley.evaluation.stats.pooled import Figure, mean_of, median_of, paired_difference, value_of
from openfoley.evaluation.studies.study import Row, change, shown, table

ALONE, SELECT = "alone", "select"
Scores = dict[str, Any]


def figures_of(rows: Sequence[Row]) -> dict[str, Any]:
    """Of each way: shares, F1, margins, accuracy, suppression, and its paired differences to `select`."""
    ways = list(next(iter(rows[0]["wanted"].values())))
    figures: dict[str, Any] = {"clips": len(rows), "ways": {}, "absent": {}}
    for way in ways:
        belonging, f1 = _summed(rows, way, "belonging"), _summed(rows, way, "f1")
        one: dict[str, Any] = {
            "share": _pooled(share, belonging), "precision": _pooled(precision, belonging), "f1": f1_of(f1),
            "of_alone": relative_f1(f1, _summed(rows, ALONE, "f1")),
            "margin_db": _median(rows, way, lambda s: margin_db(*s["powers"])),
            "accuracy": mean_of([float(np.mean([s["nearest"] for s in _each(row, way)])) for row in rows]),
            "suppression_db": _median(rows, way, lambda s: margin_db(s["before"], s["powers"][1])),
        }  # fmt: skip
        if way != SELECT:
            one["minus_select"] = {
                "share": paired_difference(share, belonging, _summed(rows, SELECT, "belonging")),
                "f1": f1_difference(f1, _summed(rows, SELECT, "f1")),
            }
        figures["ways"][way] = one
    named = [row["absent"] for row in rows if row["absent"]]
    for way in named[0] if named else ():
        counts = np.array([row[way] for row in named], dtype=np.float64)
        figures["absent"][way] = {**_pooled(a_minute, counts), "clips": len(counts)}
    equal = [one for row in rows for one in row.get("equal", ())]
    return {**figures, "select_all": {"stems": len(equal), "equal": sum(equal)}}


def share(sums: np.ndarray) -> np.ndarray:
    """[m, 3] events of the wanted source, of another, of none -> the wanted one's share of those of either."""
    return _ratio(sums[:, 0], sums[:, 0] + sums[:, 1])


def precision(sums: np.ndarray) -> np.ndarray:
    """The wanted one's share of all."""
    return _ratio(sums[:, 0], sums.sum(1))


def a_minute(sums: np.ndarray) -> np.ndarray:
    """[m, 2] events, minutes -> [m]."""
    return _ratio(sums[:, 0], sums[:, 1])


def tables(figures: dict[str, Any]) -> list[str]:
    """Three: scores, differences to `select`, names of what is not there."""
    every = [
        (f"{name}, {one['clips']} clips", way, of) for name, one in figures.items() for way, of in one["ways"].items()
    ]
    columns = "clips | way | share of events | of all events | F1 ±50 ms | of alone | margin, dB | accuracy"
    lines = table(f"{columns} | suppression, dB", [_scores(*each) for each in every])
    others = [f"{name} | {way} | {_changes(one)}" for name, way, one in every if "minus_select" in one]
    lines += ["", *table("clips | way - select | share of events | p | F1 | p", others)]
    absent = [
        f"{name} | {way} | {_cell(one['value'], one['interval'], 1)} | {one['clips']}"
        for name, of in figures.items()
        for way, one in of["absent"].items()
    ]
    lines += ["", *table("name of something that is not there | way | events a minute | clips", absent)]
    equal = [(name, of["select_all"]) for name, of in figures.items()]
    lines += [
        "",
        *table(
            "select_all, not apart | stems | equal to a single run",
            [f"{n} | {e['stems']} | {e['equal']}" for n, e in equal],
        ),
    ]
    return lines


def _scores(name: str, way: str, one: Scores) -> str:
    relative = one["of_alone"]
    cells = [
        _cell(one["share"]["value"], one["share"]["interval"]),
        _cell(one["precision"]["value"], one["precision"]["interval"]),
        _cell(one["f1"]["f1"], one["f1"]["interval"]),
        _cell(relative["share"], relative["share_interval"], 2),
        _cell(one["margin_db"]["median"], one["margin_db"]["interval"], 1),
        _cell(one["accuracy"]["mean"], one["accuracy"]["interval"]),
        _cell(one["suppression_db"]["median"], one["suppression_db"]["interval"], 1),
    ]
    return f"{name} | {way} | {' | '.join(cells)}"


def _changes(one: Scores) -> str:
    pair = one["minus_select"]
    return " | ".join(f"{change(pair[name])} | {pair[name]['p']:.2g}" for name in ("share", "f1"))


def _cell(value: float, interval: Sequence[float], digits: int = 3) -> str:
    """A value with its interval; empty without a value."""
    if not math.isfinite(value):
        return ""
    bounds = f" {shown(interval, digits)}" if np.isfinite(interval).all() else ""
    return f"{value:.{digits}f}{bounds}"


def _each(row: Row, way: str) -> list[Scores]:
    """The scores of a clip's wanted sources."""
    return [one[way] for one in row["wanted"].values()]


def _summed(rows: Sequence[Row], way: str, name: str) -> np.ndarray:
    """[clips, k]: sums over a clip's wanted sources."""
    return np.array([np.sum([one[name] for one in _each(row, way)], axis=0) for row in rows], dtype=np.float64)


def _pooled(figure: Figure, sums: np.ndarray) -> dict[str, Any]:
    return {"value": value_of(figure, sums), "interval": ratio_interval(figure, sums)}


def _median(rows: Sequence[Row], way: str, value: Callable[[Scores], float]) -> dict[str, Any]:
    """Over all wanted sources for which it is defined."""
    values = [np.array([value(one) for one in _each(row, way)]) for row in rows]
    defined = [one[np.isfinite(one)] for one in values]
    median, interval = median_of(defined)
    return {"median": median, "interval": interval, "sources": sum(map(len, defined))}


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
