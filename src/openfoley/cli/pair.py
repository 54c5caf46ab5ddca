"""`openfoley generate-pair` and `openfoley train pair`."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.cli.messages import Bar, note, print_json
from openfoley.errors import UsageError

if TYPE_CHECKING:
    from openfoley.hub.pair_parts import PairModel

FIELDS = (
    "prompt", "negative_prompt", "gamma", "steps", "seed", "count", "duration", "video_guidance", "audio_guidance",
    "connected",
)  # fmt: skip
TRAINING_FIELDS = ("stage", "preset", "data", "kind", "trains", "steps", "hours", "scenes", "device", "accumulation")


def generate(options: Namespace) -> int:
    from openfoley.hub.pair import pair_limits
    from openfoley.joint import PairRequest, check_pair_output, check_request, generate_pair

    fields: dict[str, Any] = {name: getattr(options, name) for name in FIELDS}
    fields |= {name: Path(path) for name in ("given_video", "given_sound") if (path := getattr(options, name))}
    if options.captions:
        return _generate_set(options, fields)
    if options.given:
        raise UsageError("given is for a set: pass --captions DIR too, or a file with --given-video or --given-sound")
    request = PairRequest(**fields)
    out, seeds = Path(options.out), range(options.seed, options.seed + options.count)
    paths = [out] if options.count == 1 else [out.with_name(f"{out.stem}-{seed}{out.suffix}") for seed in seeds]
    for path in paths:
        check_pair_output(path, options.force)
    check_request(pair_limits(options.model), request)
    model = _model(options)
    pairs = generate_pair(model, request, Bar("steps", unit="steps"))
    for pair, path in zip(pairs, paths, strict=True):
        pair.save(path, force=options.force)
        note(f"{len(pair.frames) / pair.rate:g} s of video and sound in {path}")
    if options.json:
        rows = [{"path": str(path), "seed": pair.seed} for pair, path in zip(pairs, paths, strict=True)]
        print_json({"model": model.name, "pairs": rows})
    return 0


def _generate_set(options: Namespace, fields: dict[str, Any]) -> int:
    from openfoley.data.pairs.clip_folder import open_pairs
    from openfoley.hub.pair import pair_limits
    from openfoley.joint_set import generate_set, plan_set

    pairs, out = open_pairs(Path(options.captions), options.split), Path(options.out)
    plan_set(pair_limits(options.model), pairs, out, given=options.given, **fields)
    model = _model(options)
    paths = generate_set(model, pairs, out, given=options.given, on_pair=Bar("pairs", unit="pairs"), **fields)
    note(f"{len(paths)} pairs for {len(pairs)} captions in {options.out}")
    if options.json:
        print_json({"model": model.name, "pairs": [str(path) for path in paths]})
    return 0


def _model(options: Namespace) -> PairModel:
    from openfoley.hub.pair import load_pair_model

    return load_pair_model(
        options.model, options.device, options.weights_dir, Bar("weights", "MB"), precision=options.precision
    )


def train(options: Namespace) -> int:
    from openfoley.training.joint.pair_recipe import PairRecipe
    from openfoley.training.joint.recipe import train as train_pair

    chosen = {name: getattr(options, name) for name in TRAINING_FIELDS}
    weights_dir = Path(options.weights_dir) if options.weights_dir else None
    made = train_pair(PairRecipe(out=Path(options.out), weights_dir=weights_dir, **chosen), resume=options.resume)
    note(f"trained {options.stage}; it is in {made}")
    return 0
