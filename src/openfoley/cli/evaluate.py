"""`openfoley evaluate`: figures on standard output, as tables or as one JSON object."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

from openfoley.cli.messages import Bar, note, print_json
from openfoley.errors import UsageError


def sync(options: Namespace) -> int:
    """Event times of the sounds in a folder against the truth in another."""
    from openfoley.evaluation.reports.sync_files import evaluate_sync

    for folder in (options.generated, options.truth):
        if not Path(folder).is_dir():
            raise UsageError(f"{folder!r} is not a folder")
    codec = _codec(options.model)
    bar = Bar("clips", unit="")
    result = evaluate_sync(Path(options.generated), Path(options.truth), codec=codec, progress=bar)
    if options.json:
        print_json(result.to_dict())
    else:
        print(result.text())
    return 0


def report(options: Namespace) -> int:
    """Every figure of docs/results.md for a model; a report that was interrupted goes on where it stopped."""
    from openfoley.hub.registry import check_model

    check_model(options.model)
    if options.outside is not None and not Path(options.outside).is_dir():
        raise UsageError(f"{options.outside!r} is not a folder")

    from openfoley.evaluation.reports.suite import run_report

    out = Path(options.out)
    outside = Path(options.outside) if options.outside else None
    record = run_report(options.model, out, clips=options.clips, outside=outside, device=options.device)
    if options.json:
        print_json(record)
    else:
        print((out / "results.md").read_text(encoding="utf-8"))
    note(f"wrote {out / 'results.md'}, {out / 'results.json'} and pictures")
    return 0


def _codec(model: str) -> Callable[[Any, int], Any]:
    """Sound through the model's codec, for the detector's ceiling."""
    from openfoley.hub.registry import check_model

    check_model(model)
    import torch

    from openfoley.hub.load import load_model
    from openfoley.media.resample import resample
    from openfoley.types import Audio

    codec = load_model(model).codec

    @torch.inference_mode()
    def through(samples: Any, sample_rate: int) -> Any:
        audio = Audio(torch.as_tensor(samples, dtype=torch.float32), sample_rate)
        stereo = resample(audio, codec.sample_rate).samples.expand(codec.channels, -1)
        decoded = codec.decode(codec.encode(stereo[None]))[0, :, : stereo.shape[-1]]
        return resample(Audio(decoded.contiguous(), codec.sample_rate), sample_rate).samples

    return through
