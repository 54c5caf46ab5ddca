"""`openfoley generate`: check everything, generate the sound, write it."""

from __future__ import annotations

import time
from argparse import Namespace
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.cli.asked import checked_request, delivery_of, finished_before, resumable
from openfoley.cli.batch import run_batch
from openfoley.cli.messages import Bar, note, print_json
from openfoley.errors import UsageError
from openfoley.hub.knowledge import real_footage_words
from openfoley.hub.registry import check_selects, sampling_of
from openfoley.media.source import Source
from openfoley.media.write.outputs import AUDIO_SUFFIXES, check_saving, checked_video, default_output, take_paths
from openfoley.media.write.rehearsal import Rehearsal
from openfoley.request import Request, check_takes
from openfoley.synthesis.saving import Delivery
from openfoley.synthesis.selected_stems import check_cues, file_word, split_names, stem_promptings

if TYPE_CHECKING:
    from openfoley.pipeline import Pipeline
    from openfoley.synthesis.take import Take

TEXT_STEM = "foley"  # of the output, when there is no video to name it after


def run(options: Namespace) -> int:
    """One video, or several with one model in memory."""

    @cache
    def pipeline() -> Pipeline:
        from openfoley.pipeline import load

        return load(options.model, options.device, options.weights_dir, Bar("weights", "MB"), options.adapters)

    if len(options.video) > 1 or options.out_dir is not None or any(Path(one).is_dir() for one in options.video):
        info = pipeline.cache_info
        return run_batch(options, lambda one: generate(one, pipeline), lambda: info().misses > info().currsize)
    options.out_name = None
    options.video = options.video[0] if options.video else None
    return generate(options, pipeline)


def generate(options: Namespace, loaded: Callable[[], Pipeline]) -> int:
    """Generate the sound of one video. loaded: returns the pipeline, called after all checks."""
    started = time.monotonic()
    request = checked_request(options)
    check_takes(options.takes)
    names = _checked_names(options, request)
    _check_text_alone(options, request)
    video = None if options.video is None else checked_video(options.video)

    from openfoley.synthesis.job import opened, resolved, with_times
    from openfoley.synthesis.stems import cues_by_stem

    rehearsal = None if options.plan else Rehearsal(_asked_output(options), request.output.audio)
    source = opened(video, request.timeline, options.strict, rehearsal=rehearsal, with_hash=rehearsal is not None)
    request = with_times(source, request)  # what is wrong with them is said before the model is loaded
    check_selects(options.model, request)
    stems = list(cues_by_stem(request.timeline.cue_list)) if options.stems else []
    if names:
        check_cues(request.timeline.cue_list)
        stems = [file_word(name) for name in names]
    delivery = None if rehearsal is None else _checked_delivery(options, source, request, rehearsal, stems)
    if delivery is not None and finished_before(options, delivery):
        return 0
    seeds = list(range(request.sampling.seed, request.sampling.seed + options.takes))

    pipeline = loaded()
    request = resolved(pipeline.model, source, request)
    if delivery is None:
        return _print_plans(options, pipeline, source, request, names)
    if names:
        return _selected(options, pipeline, source, request, names, seeds, delivery)
    if options.stems or any(cue.stem for cue in request.timeline.cue_list):
        return _stems(options, pipeline, source, request, seeds, delivery)
    with resumable(delivery.work):
        takes = pipeline.generate_takes(source, seeds, request, work=delivery.work, progress=Bar("sound"))
        for take, path in delivery.save(takes):
            note(f"wrote {path} (seed {take.request.sampling.seed}, {take.duration_s:.2f} s; {take.report})")
            if take.report.is_silent:
                note(silent_words(options.model, request))
    if options.json:
        print_json(_result(options, takes, delivery.paths, time.monotonic() - started))
    return 0


def silent_words(model: str, request: Request, what: str = "the result") -> str:
    """The warning for a silent result or stem, with suggestions."""
    steps = ["another --seed"]
    if (name := request.prompting.select) is not None:
        steps.insert(0, f"another name than {name!r} (openfoley attention shows where the model looks)")
    elif request.prompting.prompt is None:
        steps.insert(0, "a --prompt that describes the picture")
    if "temperature" in sampling_of(model)[1]:
        steps.append("a higher --temperature such as 0.8")
    real = real_footage_words(model, bool(request.selections))
    return f"{what} is silent: the model found no sound events; try {', '.join(steps)}" + (
        f", or for real footage {real}" if real else ""
    )


def _check_text_alone(options: Namespace, request: Request) -> None:
    """Without a video, a duration and a prompt are required."""
    if options.video is not None:
        return
    if options.duration is None:
        raise UsageError("pass a VIDEO, or --duration S with --prompt T for sound from text alone")
    if request.asks_selection is not None or options.select_all is not None:
        raise UsageError("--select, --select-all and --negative-picture need a VIDEO to choose from")
    if request.regions:
        raise UsageError("--select-box and --select-mask need a VIDEO to choose from")
    if not (options.prompt and options.prompt.strip()) and options.cues is None:
        raise UsageError("without a VIDEO the sound comes from text alone: pass --prompt T")
    if options.stems or options.plan:
        raise UsageError("--stems and --plan need a VIDEO")
    if options.out is not None and Path(options.out).suffix.lower() not in AUDIO_SUFFIXES:
        raise UsageError(f"without a VIDEO the output is sound: {options.out!r} should end in .wav or .flac")


def _checked_names(options: Namespace, request: Request) -> list[str]:
    """The names of --select-all, if given."""
    if options.select_all is None:
        if options.apart is not None:
            raise UsageError("--apart and --no-apart belong to --select-all; pass it, or leave them out")
        return []
    names = split_names(options.select_all)
    if options.stems:
        raise UsageError("--select-all writes its own stems; leave out --stems, which is for the stems of --cues")
    first, *_ = stem_promptings(request, names, apart=True)
    check_selects(options.model, replace(request, prompting=first))
    return names


def _asked_output(options: Namespace) -> Path | None:
    """--out, or a sound beside the picture or in the working folder; None: beside the video, as fits it."""
    if options.out is not None:
        return Path(options.out)
    if options.video is None:
        return Path(f"{TEXT_STEM}.wav")
    video = Path(options.video)
    return None if options.duration is None else video.with_name(f"{video.stem}.foley.wav")


def _checked_delivery(
    options: Namespace, source: Source, request: Request, rehearsal: Rehearsal, stems: list[str]
) -> Delivery:
    """The outputs of all takes and of their stems, after everything that can be wrong with them was checked."""
    from openfoley.synthesis.stems import check_stems, stem_path

    out = _asked_output(options)
    if out is None:
        assert rehearsal.output is not None  # chosen by the scan
        out = Path(options.video).with_name(rehearsal.output.name)
        if options.out_name is not None:
            out = Path(f"{options.out_name}{out.suffix}")
    paths = take_paths(out, options.takes)
    delivery = delivery_of(options, paths, [stem_path(path, stem) for path in paths for stem in stems])
    for path in delivery.paths:
        check_saving(path, source.path, request.output.bit_depth, delivery.may_replace(path))
        if stems and not delivery.is_finished:
            check_stems(path, stems, source.path, request.output.bit_depth, delivery.may_replace)
    return delivery


def _print_plans(options: Namespace, pipeline: Pipeline, source: Source, request: Request, names: Sequence[str]) -> int:
    """A table for each sound that would be made: one, or as many as stems, with the files of each."""
    from openfoley.synthesis.job import first_frame_code
    from openfoley.timeline.plan import describe

    start, rate = first_frame_code(source, request.output.start_timecode), pipeline.model.codec.latent_rate
    tables = {name: describe(plan, rate, start) for name, plan in pipeline.plans(source, request, names).items()}
    files = _planned_files(options, list(tables))
    if options.json:
        plans = [{"stem": name, "files": files[name], "table": text} for name, text in tables.items()]
        print_json({"video": options.video, "plans": plans})
        return 0
    headers = {name: f"stem {name}" + (f": {', '.join(own)}" if own else "") for name, own in files.items()}
    print("\n\n".join(f"{headers[name]}\n{text}" if name else text for name, text in tables.items()))
    return 0


def _planned_files(options: Namespace, stems: Sequence[str | None]) -> dict[str | None, list[str]]:
    """The files that each stem would be written to, one a take; of None those of the whole sound. Cues with stems have
    none without --stems: only their mix is written."""
    from openfoley.synthesis.stems import stem_path

    paths = take_paths(_asked_output(options) or default_output(Path(options.video)), options.takes)
    if stems == [None]:
        return {None: [str(path) for path in paths]}
    written = paths if options.select_all is not None or options.stems else []
    return {name: [str(stem_path(path, _file_word(options, name))) for path in written] for name in stems if name}


def _file_word(options: Namespace, stem: str) -> str:
    """A stem as part of its file's name: the stems of a cue sheet are called as in the sheet."""
    return stem if options.select_all is None else file_word(stem)


def _stems(
    options: Namespace, pipeline: Pipeline, source: Source, request: Request, seeds: Sequence[int], delivery: Delivery
) -> int:
    """A sound for each stem of the cue sheet, and the mix as their sum."""
    from openfoley.synthesis.stems import cues_by_stem

    own_cues = cues_by_stem(request.timeline.cue_list)
    takes = pipeline.generate_stems(
        source, seeds, request, own_cues, work=delivery.work, progress=Bar(f"{len(own_cues)} stems")
    )
    return _save_mixes(options, pipeline.model.name, request, takes, seeds, delivery, with_stems=options.stems)


def _selected(
    options: Namespace,
    pipeline: Pipeline,
    source: Source,
    request: Request,
    names: Sequence[str],
    seeds: Sequence[int],
    delivery: Delivery,
) -> int:
    """A sound for each name of --select-all, and the mix as their sum."""
    with resumable(delivery.work):
        made = pipeline.select_all(
            source, names, seeds, request, apart=options.apart is not False, work=delivery.work, progress=Bar("sound")
        )
    return _save_mixes(options, pipeline.model.name, request, made, seeds, delivery, with_stems=True)


def _save_mixes(
    options: Namespace,
    model: str,
    request: Request,
    takes: Mapping[str, Sequence[Take]],
    seeds: Sequence[int],
    delivery: Delivery,
    *,
    with_stems: bool,
) -> int:
    """Write the mix of each seed, and its stems."""
    from openfoley.synthesis.stems import save_stems

    results = []
    delivery.begin(next(iter(takes.values()))[0].work)
    may_replace = any(delivery.may_replace(path) for path in (*delivery.paths, *delivery.stems))
    output = Request.of(request, force=may_replace).output
    words = {name: _file_word(options, name) for name in takes}
    for number, (seed, path) in enumerate(zip(seeds, delivery.paths, strict=True)):
        own = {words[name]: made[number] for name, made in takes.items()}
        files = save_stems(own, path, output, write_stems=with_stems)
        note(f"wrote {path} (seed {seed}) and {len(files)} stem{'s' * (len(files) != 1)}")
        silent = [name for name in takes if own[words[name]].report.is_silent]
        for name in silent:
            note(silent_words(options.model, own[words[name]].request, f"stem {name!r}"))
        stems = {name: str(files[words[name]]) for name in takes if words[name] in files}
        results.append({"path": str(path), "seed": seed, "stems": stems, "silent_stems": silent})
    for made in takes.values():
        if made[0].work is not None:
            made[0].work.remove()
    delivery.clear()
    if options.json:
        print_json({"video": options.video, "model": model, "takes": results})
    return 0


def _result(options: Namespace, takes: list[Any], paths: Sequence[Path], elapsed_s: float) -> dict[str, Any]:
    first = takes[0]
    output = first.request.output
    asked = {
        name: value for name, value in first.request.given().items() if name not in ("cues", "cuts", "seed", "force")
    }
    return {
        **asked,
        "video": options.video,
        "model": first.model,
        "prompt": options.prompt,
        "negative_prompt": options.negative_prompt,
        "steps": options.steps,
        "guidance": options.guidance,
        "reference": options.reference,
        "nudge": output.nudge,
        "audio": output.audio,
        "duration_s": first.duration_s,
        "start_timecode": str(first.start(output.start_timecode) or "") or None,
        "sample_rate": output.sample_rate or first.sample_rate,
        "takes": [
            {
                "path": str(path),
                "seed": take.request.sampling.seed,
                "duration_s": take.duration_s,
                "peak_db": take.report.peak_db,
                "loudness_lufs": take.report.loudness_lufs,
                "onsets": take.report.onsets,
                "is_silent": take.report.is_silent,
            }
            for take, path in zip(takes, paths, strict=True)
        ],
        "elapsed_s": round(elapsed_s, 3),
    }
