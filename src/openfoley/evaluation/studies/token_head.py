"""The event head of an encoder: its sync tokens on training scenes, the training, and the threshold.

out/tokens/<seed>.npy      float16 [n, dim], of training scenes and of those that the threshold is chosen on
out/head.safetensors       the trained head
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from safetensors.torch import load_file
from torch import Tensor

from openfoley.data.gym_cache import FRAME_RATE, render_for_cache
from openfoley.encoders.base import frame_dim
from openfoley.errors import UsageError
from openfoley.evaluation.metrics.candidates import Candidates, best_threshold
from openfoley.evaluation.metrics.f1 import MAIN_TOLERANCE_S
from openfoley.evaluation.metrics.truth import from_dict
from openfoley.evaluation.studies.requests import TokensRequest
from openfoley.evaluation.studies.study import Progress, Row, Study
from openfoley.gym.seeds import Split, seeds_of
from openfoley.hub.parts import Model
from openfoley.hub.save import save_weights
from openfoley.judges.events import IGNORED, STEPS_PER_TOKEN, EventHead, TokenSpan, event_targets, train_event_head
from openfoley.media.source import Source
from openfoley.media.write.atomic import whole_file
from openfoley.synthesis.features import FeatureRun, encoded_pictures, first_instant, frame_encoders
from openfoley.timeline.shots import Shot, shots_of

SYNC = "sync"
TRAINING_SCENES, THRESHOLD_SCENES = 240, 60
FIRST_SEED = 8_000_000
"""Of both within their splits: train and validation. No recipe trains on these, no other study uses them."""
SILENT_EVERY = 6
"""Of so many training scenes one more than by chance moves silently, as in the models' training."""


@dataclass(frozen=True)
class Head:
    """A trained head and the least output that counts as an event."""

    network: EventHead
    threshold: float


@dataclass(frozen=True)
class Tokens:
    """The sync tokens of one shot."""

    values: Float[Tensor, "n dim"]
    span: TokenSpan


def trained_head(study: Study[TokensRequest], progress: Progress | None = None) -> Head:
    """The head of the study's model and world; trained once."""
    training = _scenes(study, "train", TRAINING_SCENES, progress)
    check = _scenes(study, "validation", THRESHOLD_SCENES, progress)
    path = study.folder / "head.safetensors"

    def train() -> dict[str, Any]:
        head = train_event_head(*_examples(study, training))
        save_weights(head.state_dict(), path, exact=True)
        found = [candidates(head, [_kept_tokens(study, row)]) for row in check]
        threshold, f1 = best_threshold(found, [from_dict(row["truth"]) for row in check])
        weights = sum(weight.numel() for weight in head.parameters())
        scenes = {"scenes": len(training), "threshold_scenes": len(check)}
        return {"threshold": threshold, "f1": f1, "weights": weights, **scenes}

    about = study.workspace.sections({"head": train})["head"]
    network = EventHead(frame_dim(frame_encoders(study.pipeline.model)[SYNC]))
    network.load_state_dict(load_file(str(path)))
    return Head(network.eval(), about["threshold"])


def candidates(head: EventHead, shots: Iterable[Tokens]) -> Candidates:
    """The head's possible events in the shots of a clip, in time order."""
    found = [head.candidates(shot.values, shot.span) for shot in shots]
    return Candidates(*(np.concatenate([one[k] for one in found]) for k in range(2)))


def tokens_of(model: Model, runs: Iterable[FeatureRun], shots: Sequence[Shot]) -> list[Tokens]:
    """The sync tokens of every shot; a shot's first token is at its encoder's own offset."""
    encoder = frame_encoders(model)[SYNC]
    parts: dict[int, list[Tensor]] = {shot.index: [] for shot in shots}
    for run in runs:
        if run.name == SYNC:
            parts[run.shot].append(run.features.float().cpu())
    return [
        Tokens(
            torch.cat(parts[shot.index]), TokenSpan(float(first_instant(encoder, shot)), float(encoder.outputs.rate))
        )
        for shot in shots
    ]


def _scenes(study: Study[TokensRequest], split: Split, count: int, progress: Progress | None) -> list[Row]:
    """Seed, truth and times of the tokens of scenes whose tokens are kept."""
    seeds = seeds_of(split, count, FIRST_SEED, study.request.world)
    (study.folder / "tokens").mkdir(exist_ok=True)

    def row(number: int) -> Row:
        is_silent = split == "train" and number % SILENT_EVERY == SILENT_EVERY - 1
        frames, _, record = render_for_cache(seeds[number], split, is_silent or None)
        (tokens,) = _sync_tokens(study.pipeline.model, Source.tensor(torch.from_numpy(frames), FRAME_RATE))
        with whole_file(study.folder / "tokens" / f"{seeds[number]}.npy") as file:
            np.save(file, tokens.values.half().numpy())
        span = {"first_s": tokens.span.first_s, "rate": tokens.span.rate}
        return {"seed": seeds[number], "truth": truth_record(record), "span": span}

    return study.rows(count, row, progress, of=split)


def truth_record(record: dict[str, Any]) -> dict[str, Any]:
    """What `metrics.truth.from_dict` reads of a scene."""
    return {name: record[name] for name in ("duration_s", "events")}


def _sync_tokens(model: Model, source: Source) -> list[Tokens]:
    """Encoded by the sync encoder alone, as one shot."""
    if SYNC not in frame_encoders(model):
        raise UsageError(f"{model.name} has no sync encoder; choose another model")
    alone = replace(model, encoders={SYNC: model.encoders[SYNC]})
    shots = shots_of(source.info.duration, [], "none")
    return tokens_of(model, encoded_pictures(alone, source, shots, model.device), shots)


def _kept_tokens(study: Study[TokensRequest], row: Row) -> Tokens:
    values = torch.from_numpy(np.load(study.folder / "tokens" / f"{row['seed']}.npy")).float()
    return Tokens(values, TokenSpan(**row["span"]))


def _examples(
    study: Study[TokensRequest], rows: Sequence[Row]
) -> tuple[Float[Tensor, "clips n dim"], Float[Tensor, "clips steps"]]:
    """Tokens and targets of whole clips; behind the end of shorter ones targets are ignored."""
    clips = [_kept_tokens(study, row) for row in rows]
    longest = max(len(clip.values) for clip in clips)
    tokens = torch.zeros(len(clips), longest, clips[0].values.shape[1])
    targets = torch.full((len(clips), longest * STEPS_PER_TOKEN), IGNORED)
    for k, (clip, row) in enumerate(zip(clips, rows, strict=True)):
        count = len(clip.values)
        tokens[k, :count] = clip.values
        targets[k, : count * STEPS_PER_TOKEN] = targets_of(row["truth"], clip.span, count)
    return tokens, targets


def targets_of(record: dict[str, Any], span: TokenSpan, tokens: int) -> Float[Tensor, " steps"]:
    """A head's targets of a clip: its visible events. Ignored are the times that the metrics ignore: continuous,
    inaudible and off-screen sound. record: its truth."""
    seen = from_dict(record).only(True)
    return event_targets(seen.scored_s, seen.ignored_spans, span, tokens, MAIN_TOLERANCE_S)
