"""Which events do the sync tokens hold, and which of them does the generated sound have?

A small head (judges.events) is trained on the model's sync tokens of Gym training scenes. Its events and those of the
generated sound are scored on the same clips by the same rules: what the head misses is not in the tokens (or not where
a small head can read it), what only the sound misses is lost by the generator. Sets: scenes of a split, silent scenes,
and the clips of a folder.

Costs 4 minutes of processor time for the head (300 scenes), then some 2 s for a clip. A second run computes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from openfoley.data.gym_cache import FRAME_RATE, render_for_cache
from openfoley.data.onset_detector import Onsets
from openfoley.evaluation.metrics.candidates import Candidates, average_precision
from openfoley.evaluation.metrics.f1 import f1_difference, visible_sums
from openfoley.evaluation.metrics.recall import GAP_EDGES_S, LEVEL_EDGES_DB, range_words
from openfoley.evaluation.metrics.sync import sync_report
from openfoley.evaluation.metrics.truth import Truth, from_dict
from openfoley.evaluation.reports.sync_files import truths_with_videos
from openfoley.evaluation.studies.requests import TokensRequest
from openfoley.evaluation.studies.study import Progress, Row, Study, change, onsets, shown, study_of, table
from openfoley.evaluation.studies.token_head import Head, candidates, tokens_of, trained_head, truth_record
from openfoley.gym.seeds import seeds_of
from openfoley.media.source import Source
from openfoley.request import Request
from openfoley.synthesis.job import shots_in

FIRST_SEED, FIRST_SILENT_SEED = 8_500_000, 8_700_000  # within the split
SOUND_FIELDS = ("times_s", "loudness_db", "strength_db")
HEAD_FIELDS = ("times_s", "scores")
LOUDNESS = ("loudness_pooled", "loudness_within")  # a head's events have none


def run(request: TokensRequest, progress: Progress | None = None) -> dict[str, Any]:
    """Scenes of 8 s, and the outside clips whole. Raises UsageError for a folder without clips, before any work, and
    MediaError for a clip that cannot be read."""
    outside = truths_with_videos(request.outside) if request.outside is not None else []
    study = study_of(request)
    head = trained_head(study, progress)
    sets: dict[str, tuple[list[Row], list[Truth]]] = {}
    for name, first, silent, count in (
        (request.split, FIRST_SEED, None, request.clips),
        ("silent", FIRST_SILENT_SEED, True, request.silent),
    ):
        seeds = seeds_of(request.split, count, first, request.world)
        row = _scene_row(study, head, seeds, silent)
        rows = study.rows(count, row, progress, of=f"{name}-scene")
        sets[name] = rows, [from_dict(row["truth"], str(row["seed"])) for row in rows]
    rows = study.rows(len(outside), lambda k: _outside_row(study, head, outside[k], k), progress, of="outside")
    sets["outside"] = rows, outside
    figures = {name: _figures(rows, truths, head.threshold) for name, (rows, truths) in sets.items() if rows}
    return study.finish({"head": study.workspace.kept_section("head"), "sets": figures}, _tables(figures))


def _scene_row(
    study: Study[TokensRequest], head: Head, seeds: Sequence[int], silent: bool | None
) -> Callable[[int], Row]:
    def row(number: int) -> Row:
        frames, _, record = render_for_cache(seeds[number], study.request.split, silent)
        asked = Request.of(steps=study.request.steps, seed=study.request.seed + number, cuts="none")
        found = _found(study, head, Source.tensor(torch.from_numpy(frames), FRAME_RATE), asked)
        return {"seed": seeds[number], "truth": truth_record(record), **found}

    return row


def _outside_row(study: Study[TokensRequest], head: Head, truth: Truth, number: int) -> Row:
    assert study.request.outside is not None
    asked = Request.of(steps=study.request.steps, seed=study.request.seed + number)
    video = Path(study.request.outside) / f"{truth.name}.mp4"
    return {"name": truth.name, **_found(study, head, Source.file(video, with_hash=True), asked)}


def _found(study: Study[TokensRequest], head: Head, source: Source, asked: Request) -> Row:
    """Events of the generated sound, and the head's candidates from the very tokens that it was generated from."""
    model = study.pipeline.model
    sound = onsets(study.sound(source, asked))
    shots = shots_in(model, source, asked.timeline, study.store)
    seen = candidates(head.network, tokens_of(model, study.store.runs(model, source, shots, model.device), shots))
    return {
        "sound": {name: getattr(sound, name).tolist() for name in SOUND_FIELDS},
        "head": {name: getattr(seen, name).tolist() for name in HEAD_FIELDS},
    }


def _figures(rows: Sequence[Row], truths: Sequence[Truth], threshold: float) -> dict[str, Any]:
    """Reports of both, average precision of the head, and the sound's F1 less the head's."""
    seen = [Candidates(*(np.array(row["head"][name], dtype=np.float64) for name in HEAD_FIELDS)) for row in rows]
    events = {
        "head": [one.onsets(threshold) for one in seen],
        "sound": [Onsets(*(np.array(row["sound"][name], dtype=np.float64) for name in SOUND_FIELDS)) for row in rows],
    }
    figures: dict[str, Any] = {}
    for way, found in events.items():
        report = sync_report(found, truths).to_dict()
        figures[way] = {name: value for name, value in report.items() if name not in ("per_clip", *LOUDNESS)}
    figures["head"]["average_precision"] = asdict(average_precision(seen, truths))
    head, sound = (
        [visible_sums(one.times_s, truth) for one, truth in zip(events[way], truths, strict=True)]
        for way in ("head", "sound")
    )
    return {**figures, "sound_minus_head": f1_difference(sound, head)}


def _tables(figures: dict[str, Any]) -> list[str]:
    """Three: scores, recall by gap, recall by level."""
    ways = [(name, way, one) for name, one in figures.items() for way in ("head", "sound")]
    columns = "clips | events of | precision / recall | F1 ±50 ms | corrected | average precision"
    lines = table(f"{columns} | false a minute, silent | sound - head, F1", [_scores(*each) for each in ways])
    for kind, title, unit, edges in (
        ("recall_by_gap", "recall by nearest other contact", "s", GAP_EDGES_S),
        ("recall_by_level", "recall by level below the loudest", "dB", LEVEL_EDGES_DB),
    ):
        ranges = [range_words(*pair, unit) for pair in zip(edges, edges[1:], strict=False)]
        rows = [(name, way, one[way][kind]) for name, way, one in ways if one[way]["visible_events"]]
        cells = [
            f"{name} | {way} | " + " | ".join(_counted(p["recall"], 2) for p in parts) for name, way, parts in rows
        ]
        lines += ["", *table(f"{title} | events of | {' | '.join(ranges)}", cells)]
    return lines


def _scores(name: str, way: str, one: dict[str, Any]) -> str:
    report, cells = one[way], ["", "", "", "", "", ""]
    if report["visible_events"]:
        at = next(score for score in report["visible"] if score["tolerance_ms"] == 50)
        cells[:3] = [
            f"{at['precision']:.3f} / {at['recall']:.3f}",
            f"{at['f1']:.3f} {_bounds(at['f1_interval'])}",
            _number(at["corrected"]),
        ]
        if way == "head":
            cells[3] = _cell(report["average_precision"])
        else:
            cells[5] = change(one["sound_minus_head"])
    cells[4] = _counted(report["silent_false_per_minute"], 1)
    return f"{name}, {report['clips']} clips | {way} | {' | '.join(cells)}"


def _counted(estimate: dict[str, Any], digits: int) -> str:
    """The cell with the number of events or clips; empty without any."""
    return f"{_cell(estimate, digits)}, {estimate['count']}" if estimate["count"] else ""


def _cell(estimate: dict[str, Any], digits: int = 3) -> str:
    """A value with its interval; empty if undefined."""
    return f"{_number(estimate['value'], digits)} {_bounds(estimate['interval'], digits)}".strip()


def _bounds(interval: Sequence[float | None], digits: int = 3) -> str:
    known = [bound for bound in interval if bound is not None and np.isfinite(bound)]
    return shown(known, digits) if len(known) == len(interval) else ""


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None or np.isnan(value) else f"{value:.{digits}f}"
