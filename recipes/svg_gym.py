"""Trains svg-gym and its variants, and makes every table about them: python recipes/svg_gym.py WORK

    --cores K       jobs at a time, one thread each (default 2)
    --prompts N     of the evaluation split (default 100)
    --seeds S       clips for each prompt (default 2)
    --skip NAME ... variants to leave out with their sets: cross-attention, joint-attention, motion
    --until GROUP   ends after data, training, guidance or tables; extras (default) are the last two variants
    --scenes N      training clips (default: the preset's)
    --steps V A C   optimiser steps of the stages video, audio and connectors (default: the preset's)
    --hours V A C   of each training of these stages at most; its learning rate ends by then
    --plan          prints what is there and what is not, and ends

The same command resumes: trainings at their last checkpoint, sets at the first missing clip; SIGTERM or ctrl-c ends it
after the current step. --cores, --skip, --until and --hours may then be others: fewer hours end a training early, with
a finished model, and what was left out is done. WORK has

    data, video, audio, connectors*, model*     of `openfoley train pair`; model-half: half-way, averaged
    judge, prompts, prompts-twice               the judge of pairs; true clips of 2 s, and of 4 s
    guidance/W, guidance.json                   guidance W (of both modalities) on validation prompts; the chosen one
    svg-gym                                     the finished model under its name, with that guidance
    sets/NAME                                   generated clips; encoded: the true ones by the codec and a file
    tables/NAME.txt, NAME.json                  ceilings, kinds, gamma, tasks, length, twice, trained; curves.txt
    logs/JOB.log                                what each job said

Tables compare the sets of a row of TABLES with the first of them (`openfoley evaluate pair`): event F1 and the rest
with intervals and p-values by a paired bootstrap over prompts and seeds. Hours of one core, by the step and the clip
(docs/log.md, J7): video 2.4, audio 0.7, connectors 2.1 (cross-attention 1.4, joint-attention 2.2, motion 2.3); guidance
0.2, all sets 3.0.
"""

from __future__ import annotations

import argparse
import json
import logging
import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import partial
from multiprocessing.connection import wait
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

NAME = "svg-gym"
STAGES = ("video", "audio", "connectors")
VARIANTS: dict[str, dict[str, Any]] = {
    "cmc-pe": {},
    "cross-attention": {"kind": "cross-attention"},
    "joint-attention": {"kind": "joint-attention"},
    "motion": {"trains": "motion"},
}
"""Trainings of the third stage."""
EXTRAS = ("joint-attention", "motion")
"""Variants that are trained and judged last."""
HALF = "half"
"""The variant `cmc-pe` half-way through its training."""
GUIDANCES = (1.0, 1.5, 2.0, 3.0, 4.0)
GUIDANCE_MARGIN = 0.05
GUIDANCE_PROMPTS, FIRST_PROMPT = 40, 10_000
"""Validation prompts, and the first of their split's seeds: away from those that training validates on."""
TWICE_FRAMES = 32
CHOSEN_BY, CHANCE = "event F1", "event F1 by chance"
LOCK_WAIT_S = 2.0


@dataclass(frozen=True)
class SetOf:
    """Generated clips. variant: whose model. fields: of `generate_set`. prompts: folder of the true clips. seeds: clips
    for each (None: as asked)."""

    variant: str = "cmc-pe"
    fields: Mapping[str, Any] = field(default_factory=dict)
    prompts: str = "prompts"
    seeds: int | None = None


SETS = {
    "none": SetOf(fields={"connected": False}),
    "cmc-pe": SetOf(),
    "cross-attention": SetOf("cross-attention"),
    "gamma-1": SetOf(fields={"gamma": 1.0}),
    "gamma-2": SetOf(fields={"gamma": 2.0}),
    "gamma-auto": SetOf(fields={"gamma": "auto"}),
    "given-video": SetOf(fields={"given": "video"}),
    "given-sound": SetOf(fields={"given": "sound"}),
    "half": SetOf(HALF),
    "twice-none": SetOf(fields={"connected": False}, prompts="prompts-twice", seeds=1),
    "twice": SetOf(prompts="prompts-twice", seeds=1),
    "joint-attention": SetOf("joint-attention"),
    "motion": SetOf("motion"),
}
ENCODED = "encoded"
TABLES = {
    "ceilings": (ENCODED,),
    "kinds": ("none", "cross-attention", "joint-attention", "cmc-pe"),
    "gamma": ("gamma-1", "cmc-pe", "gamma-2", "gamma-auto"),
    "tasks": ("cmc-pe", "given-video", "given-sound"),
    "length": ("none", "half", "cmc-pe"),
    "twice": ("twice-none", "twice"),
    "trained": ("cmc-pe", "motion"),
}


@dataclass(frozen=True)
class Settings:
    work: Path
    cores: int = 2
    prompts: int = 100
    seeds: int = 2
    scenes: int | None = None
    steps: tuple[int, int, int] | None = None
    hours: tuple[float, float, float] | None = None

    def recipe(self, stage: str, variant: str = "cmc-pe") -> Any:
        """A `PairRecipe`."""
        from openfoley.training.joint.pair_recipe import PairRecipe

        steps, hours = (each[STAGES.index(stage)] if each else None for each in (self.steps, self.hours))
        changes = VARIANTS[variant] if stage == "connectors" else {}
        return PairRecipe(stage, self.work, steps=steps, hours=hours, scenes=self.scenes, **changes)

    def model(self, variant: str) -> Path:
        if variant == HALF:
            return self.work / "model-half"
        return self.recipe("connectors", variant).model


@dataclass(frozen=True)
class Job:
    """run: does it, or what is left of it. done: the file that it writes last."""

    group: str
    needs: tuple[str, ...]
    done: Path
    run: Callable[[], Any]


GROUPS = ("data", "training", "guidance", "tables", "extras")


def jobs_of(settings: Settings, skip: frozenset[str] = frozenset()) -> dict[str, Job]:
    """All jobs by name, in the order in which they are begun."""
    work, variants = settings.work, [name for name in VARIANTS if name not in skip]
    core, extras = ([one for one in variants if (one in EXTRAS) is later] for later in (False, True))
    jobs = {"data": Job("data", (), work / "prompts-twice" / "evaluation" / "truth.json", partial(make_data, settings))}
    for stage in ("video", "audio"):
        done = work / stage / "model.safetensors"
        jobs[stage] = Job("training", ("data",), done, partial(train, settings, stage))
    jobs["judge"] = Job("training", ("data",), work / "judge" / "judge.json", partial(train_judge, settings))
    jobs |= _trainings(settings, "training", core)
    half = settings.model(HALF) / "config.json"
    jobs[f"train {HALF}"] = Job("training", ("train cmc-pe",), half, partial(keep_half, settings))
    for weight in GUIDANCES:
        done = work / "guidance" / f"{weight:g}" / "all"
        run = partial(generate_guided, settings, weight)
        jobs[f"guidance {weight:g}"] = Job("guidance", ("train cmc-pe",), done, run)
    needs = ("judge", *(f"guidance {weight:g}" for weight in GUIDANCES))
    jobs["guidance"] = Job("guidance", needs, work / NAME / "config.json", partial(choose_guidance, settings))
    jobs[f"set {ENCODED}"] = Job("tables", ("data",), work / "sets" / ENCODED / "all", partial(encode, settings))
    jobs |= _tables(settings, "tables", core)
    jobs |= _trainings(settings, "extras", extras)
    jobs |= _tables(settings, "extras", variants) if extras else {}
    return jobs


def _trainings(settings: Settings, group: str, variants: list[str]) -> dict[str, Job]:
    jobs = {}
    for variant in variants:
        run = partial(train, settings, "connectors", variant)
        done = settings.model(variant) / "config.json"
        jobs[f"train {variant}"] = Job(group, ("video", "audio"), done, run)
    return jobs


def _tables(settings: Settings, group: str, variants: list[str]) -> dict[str, Job]:
    """Sets and tables of these variants, of the extras those alone that need them. The name of a table says which sets
    it is without."""
    work, jobs = settings.work, {}
    is_extra = group == "extras"
    there = {ENCODED} | {name for name, one in SETS.items() if one.variant in (*variants, HALF)}
    for name, one in SETS.items():
        if name in there and is_extra == (one.variant in EXTRAS):
            needs, done = ("guidance", f"train {one.variant}"), work / "sets" / name / "all"
            jobs[f"set {name}"] = Job(group, needs, done, partial(generate, settings, name))
    for name, row in TABLES.items():
        kept = tuple(one for one in row if one in there)
        if len(kept) == 1 < len(row) or is_extra != any(one in EXTRAS for one in kept):
            continue
        file = "-without-".join((name, *(one for one in row if one not in kept)))
        done, run = work / "tables" / f"{file}.txt", partial(tabulate, settings, file, kept)
        jobs[f"table {file}"] = Job(group, ("judge", *(f"set {one}" for one in kept)), done, run)
    needs = ("video", "audio", *(f"train {variant}" for variant in variants))
    file = "-without-".join(("curves", *(one for one in VARIANTS if one not in variants)))
    run = partial(curves, settings, variants, file)
    jobs[f"table {file}"] = Job(group, needs, work / "tables" / f"{file}.txt", run)
    return jobs


def make_data(settings: Settings) -> None:
    """Clips for training and validation, and the true clips of all prompts."""
    from openfoley.data.pairs.gym_pairs import WORLD, GymPairs
    from openfoley.data.pairs.pair import GYM_FORM, PairForm
    from openfoley.gym.seeds import seeds_of

    settings.recipe("video").pairs()
    for folder, split, count, first, form in (
        ("prompts", "validation", GUIDANCE_PROMPTS, FIRST_PROMPT, GYM_FORM),
        ("prompts", "evaluation", settings.prompts, 0, GYM_FORM),
        ("prompts-twice", "evaluation", settings.prompts, 0, PairForm(count=TWICE_FRAMES)),
    ):
        seeds = seeds_of(split, count, first, WORLD)
        GymPairs.build(settings.work / folder / split, seeds, form, workers=settings.cores)


def train(settings: Settings, stage: str, variant: str = "cmc-pe") -> None:
    from openfoley.training.joint.recipe import train as train_pair

    train_pair(settings.recipe(stage, variant), resume=True)


def keep_half(settings: Settings) -> None:
    from openfoley.training.joint.recipe import save_half

    save_half(settings.recipe("connectors"))


def train_judge(settings: Settings) -> None:
    from openfoley.evaluation.reports.pair_judge import train_pair_judge

    train_pair_judge(settings.work / "judge", workers=1)


def generate_guided(settings: Settings, weight: float) -> None:
    out, fields = settings.work / "guidance" / f"{weight:g}", {"video_guidance": weight, "audio_guidance": weight}
    _generate(settings.model("cmc-pe"), settings.work / "prompts", "validation", out, fields)


def generate(settings: Settings, name: str) -> None:
    one, weight = SETS[name], json.loads((settings.work / "guidance.json").read_text())["guidance"]
    count = one.seeds or settings.seeds
    fields = {"count": count, "video_guidance": weight, "audio_guidance": weight, **one.fields}
    _generate(
        settings.model(one.variant), settings.work / one.prompts, "evaluation", settings.work / "sets" / name, fields
    )


def _generate(model: Path, prompts: Path, split: str, out: Path, fields: dict[str, Any]) -> None:
    from openfoley.data.pairs.clip_folder import open_pairs
    from openfoley.hub.pair import load_pair_model
    from openfoley.joint_set import generate_set

    files = generate_set(load_pair_model(model), open_pairs(prompts, split), out, **fields)
    (out / "all").write_text(f"{len(files)} clips\n")


def encode(settings: Settings) -> None:
    """The true clips as the model's codec and a file leave them: what generated ones could be at best."""
    from openfoley.codecs.folded import FoldedCodec
    from openfoley.data.pairs.clip_folder import open_pairs
    from openfoley.joint import MadePair
    from openfoley.media.write.atomic import make_folder
    from openfoley.training.joint.presets import GYM

    pairs, out = open_pairs(settings.work / "prompts", "evaluation"), settings.work / "sets" / ENCODED
    codec, rate = FoldedCodec(GYM["connectors"].codec), int(pairs.form.rate)
    make_folder(out)
    for index, name in enumerate(pairs.names):
        clip = pairs[index]
        frames = codec.decode_video(codec.encode_video(clip.frames[None]))[0]
        sound = codec.decode_audio(codec.encode_audio(clip.sound[None]))[0, : len(clip.sound)]
        MadePair(frames, rate, sound, codec.sample_rate, index).save(out / f"{name}.mp4", force=True)
    (out / "all").write_text(f"{len(pairs)} clips\n")


def choose_guidance(settings: Settings) -> None:
    """The smallest weight whose event F1 over chance is within GUIDANCE_MARGIN of the highest (its standard error over
    these prompts); the model with it, under its name."""
    from openfoley.data.disk import write_json
    from openfoley.hub.save import complete_folder

    folders = [settings.work / "guidance" / f"{weight:g}" for weight in GUIDANCES]
    record = _evaluate(settings, folders, "prompts", "validation", "guidance")
    figures = {weight: record["figures"][f"{weight:g}"] for weight in GUIDANCES}
    gains = {weight: row[CHOSEN_BY]["value"] - row[CHANCE]["value"] for weight, row in figures.items()}
    best = min(weight for weight in GUIDANCES if gains[weight] >= max(gains.values()) - GUIDANCE_MARGIN)
    write_json(settings.work / "guidance.json", {"guidance": best, "over chance": gains}, indent=1)
    source = settings.model("cmc-pe")
    config = json.loads((source / "config.json").read_text())
    with complete_folder(settings.work / NAME) as unfinished:
        for file in source.glob("*.safetensors"):
            (unfinished / file.name).write_bytes(file.read_bytes())
        write_json(
            unfinished / "config.json",
            config | {"name": NAME, "video_guidance": best, "audio_guidance": best},
            indent=1,
        )


def tabulate(settings: Settings, name: str, sets: tuple[str, ...]) -> None:
    folders = [settings.work / "sets" / one for one in sets]
    prompts = "prompts" if sets[0] == ENCODED else SETS[sets[0]].prompts
    _evaluate(settings, folders, prompts, "evaluation", name)


def _evaluate(settings: Settings, folders: list[Path], prompts: str, split: str, name: str) -> dict[str, Any]:
    """Writes tables/NAME.json, then NAME.txt."""
    from openfoley.data.disk import write_json
    from openfoley.evaluation.reports.pair_files import evaluate_pairs, table
    from openfoley.evaluation.reports.pair_judge import load_pair_judge
    from openfoley.media.write.atomic import make_folder

    judge = load_pair_judge(settings.work / "judge")
    record = evaluate_pairs(folders, settings.work / prompts, judge, split=split)
    make_folder(settings.work / "tables")
    write_json(settings.work / "tables" / f"{name}.json", record, indent=1)
    (settings.work / "tables" / f"{name}.txt").write_text(table(record) + "\n")
    return record


def curves(settings: Settings, variants: list[str], name: str) -> None:
    """Validation losses of all trainings by step: what more steps would bring. Above them what gamma auto is, by the
    loss curves of the base models."""
    import csv

    from openfoley.config import from_dict
    from openfoley.hub.pair import read_pair_config
    from openfoley.hub.pair_parts import PairModelConfig
    from openfoley.media.write.atomic import make_folder

    recipes = {"video": settings.recipe("video"), "audio": settings.recipe("audio")}
    recipes |= {f"connectors, {variant}": settings.recipe("connectors", variant) for variant in variants}
    config = from_dict(PairModelConfig, read_pair_config(settings.model("cmc-pe")), where="the model")
    lines = [] if config.curves is None else [f"gamma auto {config.curves.gamma:.3f}"]
    for training, recipe in recipes.items():
        lines.append(training)
        with open(recipe.place / "log.csv", newline="", encoding="utf-8") as file:
            rows = [row for row in csv.DictReader(file) if row["name"].startswith(("validation_", "half"))]
        lines += [f"{int(row['step']) + 1:8} {row['name']:20} {float(row['value']):.4f}" for row in rows]
    make_folder(settings.work / "tables")
    (settings.work / "tables" / f"{name}.txt").write_text("\n".join(lines) + "\n")


def run_job(name: str, job: Job, logs: Path) -> None:
    """In a process of its own, with one thread; SIGTERM ends it, and so does the end of the process that began it."""
    import torch

    from openfoley.media.write.locks import try_lock
    from openfoley.nn.process import prepare_process

    file = logs / f"{name.replace(' ', '-')}.log"
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(message)s", filename=file)
    threading.Thread(target=_end_with_parent, daemon=True).start()
    torch.set_num_threads(1)
    prepare_process()
    with open(file, "a") as held:
        while not try_lock(held.fileno()):  # of a recipe that was killed: its last step is still running
            logging.info("waits for the process that does the same")
            time.sleep(LOCK_WAIT_S)
        try:
            job.run()
        except Exception:  # whatever it is: its traceback belongs in the job's log, and the process ends
            logging.exception("%s failed", name)
            raise SystemExit(1) from None


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()
    if parent is not None:
        wait([parent.sentinel])
        os.kill(os.getpid(), signal.SIGTERM)


def run_all(jobs: dict[str, Job], cores: int, logs: Path) -> None:
    """As many at a time as `cores`; SystemExit with the name of the first that fails."""
    logs.mkdir(parents=True, exist_ok=True)
    waiting = [name for name, job in jobs.items() if not job.done.exists()]
    running: dict[str, tuple[BaseProcess, float]] = {}
    start = multiprocessing.get_context("spawn").Process
    try:
        while waiting or running:
            for name in waiting[:]:
                if len(running) < cores and all(jobs[need].done.exists() for need in jobs[name].needs):
                    waiting.remove(name)
                    process = start(target=run_job, args=(name, jobs[name], logs))
                    process.start()
                    running[name] = (process, time.monotonic())
                    print(f"{time.strftime('%H:%M')} {name} begins", flush=True)
            if not running:
                raise SystemExit(f"nothing can begin: {', '.join(waiting)} wait for jobs that are not done")
            wait([process.sentinel for process, _ in running.values()])
            for name, (process, begun) in list(running.items()):
                if process.exitcode is None:
                    continue
                del running[name]
                if process.exitcode or not jobs[name].done.exists():
                    raise SystemExit(f"{name} ended without a result; see {logs / name.replace(' ', '-')}.log")
                print(f"{time.strftime('%H:%M')} {name} done in {(time.monotonic() - begun) / 60:.1f} min", flush=True)
    finally:
        for process, _ in running.values():
            process.terminate()
        for process, _ in running.values():
            process.join()


def stop(*_: Any) -> None:
    raise SystemExit("stopped; the same command resumes")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("work", type=Path)
    parser.add_argument("--cores", type=int, default=2)
    parser.add_argument("--prompts", type=int, default=100)
    parser.add_argument("--seeds", type=int, default=2)
    parser.add_argument("--skip", nargs="*", default=[], choices=[name for name in VARIANTS if name != "cmc-pe"])
    parser.add_argument("--until", choices=GROUPS, default=GROUPS[-1])
    parser.add_argument("--scenes", type=int)
    parser.add_argument("--steps", type=int, nargs=3, metavar=("V", "A", "C"))
    parser.add_argument("--hours", type=float, nargs=3, metavar=("V", "A", "C"))
    parser.add_argument("--plan", action="store_true")
    asked = parser.parse_args()
    if min(asked.cores, asked.prompts, asked.seeds) < 1:
        parser.error("cores, prompts and seeds must be at least 1")
    if asked.hours and min(asked.hours) <= 0:
        parser.error("hours must be more than 0")
    steps, hours = (tuple(each) if each else None for each in (asked.steps, asked.hours))
    settings = Settings(asked.work.resolve(), asked.cores, asked.prompts, asked.seeds, asked.scenes, steps, hours)
    last = GROUPS.index(asked.until)
    every = jobs_of(settings, frozenset(asked.skip))
    jobs = {name: job for name, job in every.items() if GROUPS.index(job.group) <= last}
    if asked.plan:
        for name, job in jobs.items():
            print(f"{'there  ' if job.done.exists() else 'missing'} {name}")
        return
    settings.work.mkdir(parents=True, exist_ok=True)
    record, about = settings.work / "settings.json", {**asdict(settings), "work": NAME, "cores": None, "hours": None}
    if record.is_file() and json.loads(record.read_text()) != json.loads(json.dumps(about)):
        parser.error(f"{str(asked.work)!r} was begun with other settings (settings.json); name another folder")
    record.write_text(json.dumps(about) + "\n")
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    run_all(jobs, asked.cores, settings.work / "logs")
    print((settings.work / "guidance.json").read_text() if last >= GROUPS.index("guidance") else "", end="")


if __name__ == "__main__":
    main()
