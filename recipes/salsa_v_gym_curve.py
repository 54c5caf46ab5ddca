"""Learning curve of the sync encoder over body scenes: python recipes/salsa_v_gym_curve.py WORK

    --counts N ...    numbers of body scenes, multiples of --part (default 0 1000 3000)
    --seeds S ...     of the trainings (default 1 2)
    --steps N         of every training (default 450): more scenes do not mean more steps
    --flat N          scenes of the flat world, in every training (default 1500)
    --part N          scenes of a Gym cache (default 500)
    --first P         scenes of either training split to skip (default 30000: the shipped model was not trained on them)
    --rate R          of the encoder, as a share of the preset's learning rate (default 0.4; docs/log.md, E12)
    --model MODEL     whose sync encoder every training continues (default salsa-v-gym)
    --workers P       rendering processes (default: all cores)

Where there are body scenes, half of the steps are drawn from them, however many there are: the curve shows what their
variety brings. Each encoder is judged by event heads of its tokens (judges.events), trained on HEAD_SCENES training
scenes of each world: average precision on VALIDATION_SCENES validation scenes of each world, mean of HEADS heads, with
95 % intervals over clips. None of these scenes is in a training of the encoder. WORK (7 MB a scene) holds scenes,
trainings and results; the same command resumes and computes nothing twice, with other settings only what they change.
Prints a table; WORK/curve.json holds it.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

    from openfoley.data.gym_cache import GymCache
    from openfoley.encoders.base import FrameEncoder
    from openfoley.gym.seeds import World
    from openfoley.judges.events import TokenSpan

HEAD_SCENES, VALIDATION_SCENES = 120, 64
HEADS = 3
FIRST_HEAD_SCENE = 8_000_000
"""Within the training split: where the study `tokens` has its own too."""


def part_folder(work: Path, world: World, number: int) -> Path:
    return work / "data" / f"{world}-{number:02d}"


def judged_folder(work: Path, world: World, split: str) -> Path:
    return work / "data" / f"{world}-{split}"


def render(asked: argparse.Namespace) -> None:
    """All scenes; finished caches are kept."""
    from openfoley.data.gym_cache import GymCache
    from openfoley.data.workers import render_pool
    from openfoley.gym.seeds import WORLDS, Split, seeds_of
    from openfoley.training.recipe import SILENT_EVERY

    jobs: list[tuple[Path, list[int], Split, int | None]] = []
    for world in WORLDS:
        validation = seeds_of("validation", VALIDATION_SCENES, world=world)
        jobs.append((judged_folder(asked.work, world, "validation"), validation, "validation", None))
        head = seeds_of("train", HEAD_SCENES, FIRST_HEAD_SCENE, world)
        jobs.append((judged_folder(asked.work, world, "head"), head, "train", SILENT_EVERY))
        count = asked.flat if world == "flat" else max(asked.counts)
        for number in range(count // asked.part):
            seeds = seeds_of("train", asked.part, asked.first + number * asked.part, world)
            jobs.append((part_folder(asked.work, world, number), seeds, "train", SILENT_EVERY))
    with render_pool(asked.workers) as pool:
        for folder, seeds, split, silent_every in jobs:
            GymCache.build(folder, seeds, split=split, silent_every=silent_every, pool=pool)


def train(asked: argparse.Namespace, count: int, seed: int) -> Path:
    """The folder of an encoder trained on the flat scenes and `count` body scenes."""
    from openfoley.hub.registry import find_model
    from openfoley.training.sync.train import CPU, continued, train_sync

    folder = asked.work / f"{Path(asked.model).name}-{count}-{seed}-{asked.flat}-{asked.steps}-{asked.rate:g}"
    flat, bodies = asked.flat // asked.part, count // asked.part
    parts = [part_folder(asked.work, "flat", k) for k in range(flat)]
    parts += [part_folder(asked.work, "bodies", k) for k in range(bodies)]
    preset = replace(
        continued(replace(CPU, steps=asked.steps)),
        start=find_model(asked.model) / "sync.safetensors",
        data=parts[0],
        more_data=tuple(parts[1:]),
        data_shares=(1 / flat,) * flat + (1 / max(bodies, 1),) * bodies,
        validation=judged_folder(asked.work, "bodies", "validation"),
        seed=seed,
        encoder_rate=asked.rate,
    )
    if not (folder / "model.safetensors").exists():
        train_sync(preset, folder, resume=True)
    return folder


def judge(asked: argparse.Namespace, encoder: FrameEncoder) -> dict[str, Any]:
    """Average precision of heads on the encoder's tokens, for the validation scenes of each world."""
    import torch

    from openfoley.data.gym_cache import GymCache
    from openfoley.evaluation.metrics.candidates import Candidates, average_precision
    from openfoley.evaluation.metrics.truth import from_dict
    from openfoley.gym.seeds import WORLDS
    from openfoley.judges.events import RECIPE, train_event_head

    examples = [head_examples(encoder, GymCache.open(judged_folder(asked.work, world, "head"))) for world in WORLDS]
    tokens, targets = (torch.cat([example[k] for example in examples]) for k in range(2))
    heads = [train_event_head(tokens, targets, replace(RECIPE, seed=seed)) for seed in range(HEADS)]
    result = {}
    for world in WORLDS:
        scenes = GymCache.open(judged_folder(asked.work, world, "validation"))
        truths, clips = [from_dict(record) for record in scenes.truth], tokens_of(encoder, scenes)
        of_heads = []
        for head in heads:
            found = [Candidates(*head.candidates(clip, span(encoder))) for clip in clips]
            of_heads.append(average_precision(found, truths))
        values = [one.value for one in of_heads]
        low, high = (sum(ends) / HEADS for ends in zip(*(one.interval for one in of_heads), strict=True))
        result[world] = {"value": sum(values) / HEADS, "interval": (low, high), "heads": values}
    return result


def span(encoder: FrameEncoder) -> TokenSpan:
    from openfoley.judges.events import TokenSpan

    return TokenSpan(float(encoder.outputs.offset), float(encoder.outputs.rate))


def tokens_of(encoder: FrameEncoder, scenes: GymCache) -> torch.Tensor:
    """Tokens [scenes, n, dim]."""
    import torch

    with torch.no_grad(), torch.autocast("cpu", torch.bfloat16):  # a quarter of the time
        return torch.stack([encoder.encode(torch.from_numpy(f[None].copy()))[0].float() for f in scenes.frames])


def head_examples(encoder: FrameEncoder, scenes: GymCache) -> tuple[torch.Tensor, torch.Tensor]:
    """Tokens and targets of the visible, audible events."""
    import torch

    from openfoley.evaluation.studies.token_head import targets_of

    tokens = tokens_of(encoder, scenes)
    return tokens, torch.stack([targets_of(record, span(encoder), tokens.shape[1]) for record in scenes.truth])


def judged(asked: argparse.Namespace, path: Path, folder: Path | None) -> dict[str, Any]:
    """The figures of a training's encoder, or of the starting model's; computed once."""
    from openfoley.data.disk import write_json
    from openfoley.hub.load import load_model, load_part
    from openfoley.synthesis.features import frame_encoders

    if not path.exists():
        model = load_model(asked.model)
        encoder = frame_encoders(model)["sync"] if folder is None else load_part("sync", folder)
        write_json(path, judge(asked, encoder))
    return json.loads(path.read_text())


def table(rows: Sequence[tuple[str, dict[str, Any]]]) -> str:
    """A Markdown table of all encoders."""
    lines = ["| body scenes, seed | average precision, bodies | average precision, flat |", "|---|---|---|"]
    for name, one in rows:
        cells = []
        for world in ("bodies", "flat"):
            low, high = one[world]["interval"]
            cells.append(f"{one[world]['value']:.3f} ({low:.3f} .. {high:.3f})")
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--counts", type=int, nargs="+", default=[0, 1000, 3000])
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--steps", type=int, default=450)
    parser.add_argument("--flat", type=int, default=1500)
    parser.add_argument("--part", type=int, default=500)
    parser.add_argument("--first", type=int, default=30_000)
    parser.add_argument("--rate", type=float, default=0.4)
    parser.add_argument("--model", default="salsa-v-gym")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1)
    asked = parser.parse_args()
    if any(count < 0 or count % asked.part for count in (*asked.counts, asked.flat)) or asked.flat < asked.part:
        parser.error(f"--counts and --flat must be multiples of --part, {asked.part}, and --flat not 0")
    logging.basicConfig(level=logging.INFO, format="%(message)s")

    from openfoley.data.disk import write_json
    from openfoley.gym.seeds import check_world
    from openfoley.nn.process import prepare_process

    prepare_process()
    check_world("bodies")
    asked.work.mkdir(parents=True, exist_ok=True)
    render(asked)
    rows = [(asked.model, judged(asked, asked.work / f"{Path(asked.model).name}.json", None))]
    for seed in asked.seeds:
        for count in asked.counts:
            folder = train(asked, count, seed)
            rows.append((f"{count}, {seed}", judged(asked, folder / "judged.json", folder)))
    write_json(asked.work / "curve.json", dict(rows))
    print(table(rows))


if __name__ == "__main__":
    main()
