"""The report's metrics as results.json and as the table of results.md: name, value, interval, target, reached, N."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from openfoley.evaluation.metrics.recall import GAP_EDGES_S, range_words
from openfoley.evaluation.reports.workspace import write_whole
from openfoley.gym.seeds import World

Section = dict[str, Any]


@dataclass(frozen=True)
class Floors:
    """The targets that differ between the worlds; None: only reported. dense_recall: of events within GAP_EDGES_S[1] of
    another. silent: false positives a minute."""

    share: float
    heldout_share: float | None
    error_ms: float
    dense_recall: float | None
    silent: float
    material: float
    contradiction: float | None


FLOORS: dict[World, Floors] = {
    "flat": Floors(0.90, 0.70, 20.0, None, 2.0, 0.80, 0.70),
    "bodies": Floors(0.75, None, 10.0, 0.5, 6.0, 0.75, None),
}


@dataclass(frozen=True)
class Row:
    """One metric. floor: its target (an upper bound if `at_most`); None if it is only reported."""

    name: str
    value: float | None
    interval: tuple[float | None, float | None] | None
    floor: float | None
    at_most: bool
    count: str

    @property
    def reached(self) -> bool | None:
        if self.floor is None:
            return None
        if self.value is None or not math.isfinite(self.value):
            return False
        return self.value <= self.floor if self.at_most else self.value >= self.floor


def write_results(record: dict[str, Any], out: Path) -> dict[str, Any]:
    """Write results.json and results.md; returns the record with the table's rows."""
    rows = rows_of(record["sections"], FLOORS[record["about"].get("world", "flat")])
    full = {**record, "table": [{**vars(row), "reached": row.reached} for row in rows]}
    write_whole(out / "results.json", json.dumps(full, indent=1))
    write_whole(out / "results.md", markdown(rows, record["about"]))
    return full


def markdown(rows: list[Row], about: dict[str, Any]) -> str:
    """The table of results.md."""
    lines = [
        f"`{about['command']}`, {about['hardware']}. Intervals: 95 %, BCa bootstrap over clips.",
        "",
        "| what | value | 95 % interval | floor | reached | N |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        floor = "" if row.floor is None else f"{'at most ' if row.at_most else ''}{_number(row.floor)}"
        reached = {None: "", True: "yes", False: "**no**"}[row.reached]
        bounds = "" if not row.interval else f"{_number(row.interval[0])} .. {_number(row.interval[1])}"
        lines.append(f"| {row.name} | {_number(row.value)} | {bounds} | {floor} | {reached} | {row.count} |")
    return "\n".join(lines) + "\n"


def rows_of(sections: dict[str, Section], floors: Floors) -> list[Row]:
    """The rows of the report's sections."""
    evaluation, heldout, spectra = sections["evaluation"], sections["heldout"], sections["spectra"]
    clips = f"{evaluation['report']['clips']} clips"
    rows = [
        *_ceiling_rows("Gym", sections["ceiling"], clips),
        _visible("click baseline: F1 +-50 ms, visible", sections["clicks"]["report"], 0.5, at_most=True),
        *_precision_and_recall("visible events, 8 steps", evaluation["report"]),
        _visible("F1 +-50 ms, visible events, 8 steps", evaluation["report"]),
        _share("the same / detector's ceiling on codec-decoded true sound", evaluation["relative"], floors.share),
        _estimate(
            "median absolute event error, ms", evaluation["report"]["median_abs_error_ms"], floors.error_ms, "events"
        ),
        _estimate("median signed event error, ms", evaluation["report"]["median_signed_error_ms"], None, "events"),
        _estimate("loudness rank correlation, pooled", evaluation["report"]["loudness_pooled"], None, "events"),
        *_recall_rows("recall", evaluation["report"], floors.dense_recall),
        *_ceiling_rows("held out", sections["ceiling_heldout"], clips),
        *_precision_and_recall("held out: visible events", heldout["report"]),
        _visible("held out: F1 +-50 ms, visible events", heldout["report"]),
        _share("held out / its ceiling", heldout["relative"], floors.heldout_share),
        *_recall_rows("held out: recall", heldout["report"]),
    ]
    if "outside" in sections:
        rows += _outside_rows(sections["outside"])
    silent = sections["silent"]["report"]["silent_false_per_minute"]
    name = "false positives a minute on silent clips (motion without sound)"
    rows.append(_estimate(name, silent, floors.silent, "clips"))
    rows += _material_rows(sections, floors)
    steps = sections["steps"]["few_against_many"]
    rows.append(
        Row("F1 with 8 steps less F1 with 32", steps["difference"], steps["difference_interval"], -0.02, False, clips)
    )
    return rows + _spectral_rows("generated", spectra["made"], True) + _spectral_rows("codec", spectra["codec"], False)


def _visible(name: str, report: Section, floor: float | None = None, at_most: bool = False) -> Row:
    score = _at_50_ms(report)
    return Row(name, score["f1"], score["f1_interval"], floor, at_most, f"{report['visible_events']} events")


def _precision_and_recall(name: str, report: Section) -> list[Row]:
    """Within 50 ms."""
    score, count = _at_50_ms(report), f"{report['visible_events']} events"
    return [Row(f"{kind} +-50 ms, {name}", score[kind], None, None, False, count) for kind in ("precision", "recall")]


def _at_50_ms(report: Section) -> Section:
    return next(score for score in report["visible"] if score["tolerance_ms"] == 50)


def _share(name: str, relative: Section, floor: float | None) -> Row:
    return Row(name, relative["share"], relative["share_interval"], floor, False, f"{relative['clips']} clips")


def _estimate(name: str, estimate: Section, floor: float | None, unit: str) -> Row:
    return Row(name, estimate["value"], estimate["interval"], floor, True, f"{estimate['count']} {unit}")


def _recall_rows(name: str, report: Section, dense_floor: float | None = None) -> list[Row]:
    """By the time to the nearest other contact, and by the level below the loudest. dense_floor: of events within
    GAP_EDGES_S[1] of another."""
    kinds = (("recall_by_gap", "nearest other contact", "s"), ("recall_by_level", "below the loudest contact", "dB"))
    return [
        Row(
            f"{name}, {words} {range_words(one['low'], one['high'], unit)}",
            one["recall"]["value"],
            one["recall"]["interval"],
            dense_floor if kind == "recall_by_gap" and one["high"] == GAP_EDGES_S[1] else None,
            False,
            f"{one['recall']['count']} events",
        )
        for kind, words, unit in kinds
        for one in report[kind]
    ]


def _ceiling_rows(name: str, ceiling: Section, clips: str) -> list[Row]:
    return [
        _visible(f"detector's ceiling, {name}: F1 +-50 ms on true sound", ceiling["true"]),
        _visible(f"detector's ceiling, {name}: on true sound through the codec", ceiling["codec"]),
    ]


def _outside_rows(outside: Section) -> list[Row]:
    report = outside["report"]
    score = _at_50_ms(report)
    count = f"{report['clips']} clips"
    rows = [
        *_precision_and_recall("outside clips, visible", report),
        Row("outside clips: F1 +-50 ms, visible", score["f1"], score["f1_interval"], None, False, count),
        Row("outside clips: shuffled control", score["shuffled"], None, None, False, count),
        Row("outside clips: F1 corrected", score["corrected"], score["corrected_interval"], 0.50, False, count),
        *_recall_rows("outside clips: recall", report),
        _estimate("outside: false positives a minute on silent clips", report["silent_false_per_minute"], 4.0, "clips"),
    ]
    if outside["ceiling"]:
        rows.insert(0, _visible("detector's ceiling, outside: F1 +-50 ms on reference sound", outside["ceiling"]))
    return rows


def _material_rows(sections: dict[str, Section], floors: Floors) -> list[Row]:
    judge, material, contradiction = sections["classifier"], sections["material"], sections["contradiction"]

    def row(name: str, figures: Section, floor: float | None) -> Row:
        return Row(name, figures["accuracy"], figures["interval"], floor, False, f"{figures['events']} events")

    return [
        Row("material classifier's accuracy", judge["accuracy"], None, None, False, f"{judge['events']} events"),
        row("its accuracy on evaluation clips, true sound", material["true"], None),
        row("its accuracy on evaluation clips through the codec", material["codec"], None),
        row("right material, no prompt", material["made"], floors.material),
        row("contradicting prompt obeyed", contradiction, floors.contradiction),
    ]


def _spectral_rows(name: str, figures: Section, has_floor: bool) -> list[Row]:
    reach, decay, distances = figures["bandwidth"], figures["t20"], figures["distances"]
    clips, events = f"{reach['of']} clips", f"{decay['events']} of {decay['of']} events"
    audible = f"{reach['clips']} of {clips}"
    ratio = reach["ratio"]
    bandwidth_deviation = abs(ratio["roll_off_99_hz"] - 1)
    t20_deviation = abs(decay["ratio"] - 1) if decay["ratio"] else None
    return [
        Row(f"{name}: mel distance to true sound, dB", distances["mel_db"], None, None, True, clips),
        Row(f"{name}: multi-resolution STFT distance", distances["stft"], None, None, True, clips),
        Row(f"{name}: SI-SDR, dB", distances["si_sdr_db"], None, None, True, clips),
        Row(
            f"{name}: bandwidth (99 % roll-off) / true",
            ratio["roll_off_99_hz"],
            reach["roll_off_99_interval"],
            None,
            True,
            audible,
        ),
        Row(f"{name}: bandwidth deviation", bandwidth_deviation, None, 0.10 if has_floor else None, True, audible),
        Row(f"{name}: bandwidth (-60 dB) / true", ratio["minus_60_db_hz"], None, None, True, audible),
        Row(f"{name}: T20 after events / true", decay["ratio"], decay["interval"], None, True, events),
        Row(f"{name}: T20 deviation", t20_deviation, None, 0.25 if has_floor else None, True, events),
        Row(
            f"{name}: rise time / true", figures["rise_ms"]["ratio"], figures["rise_ms"]["interval"], None, True, events
        ),
    ]


def _number(value: float | None) -> str:
    return "-" if value is None or not math.isfinite(value) else f"{value:.3g}" if abs(value) < 100 else f"{value:.0f}"
