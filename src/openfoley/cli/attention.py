"""`openfoley attention`: a drawing of the attention of the picture's patches to a text."""

from __future__ import annotations

from argparse import Namespace
from pathlib import Path

from openfoley.cli.messages import Bar, note
from openfoley.errors import UsageError, require_package
from openfoley.hub.registry import check_model, check_selects
from openfoley.media.source import Source
from openfoley.media.write.atomic import check_output, replace_when_done
from openfoley.media.write.outputs import checked_video
from openfoley.request import Request

SUFFIXES = (".png", ".pdf", ".svg")


def run(options: Namespace) -> int:
    check_model(options.model)
    check_selects(options.model, Request.of(select=options.select))
    out = Path(options.out)
    if out.suffix.lower() not in SUFFIXES:
        raise UsageError(f"the picture must be one of {', '.join(SUFFIXES)}, got {options.out!r}")
    check_output(out, force=options.force)
    video = checked_video(options.video)
    require_package("matplotlib", "plots", "a picture of the attention")

    from openfoley.evaluation.reports.attention import attention_maps, draw
    from openfoley.pipeline import load

    source = Source.file(video)
    model = load(options.model, options.device, options.weights_dir, Bar("weights", "MB")).model
    maps = attention_maps(model, source, options.select)
    with replace_when_done(out, options.force) as unfinished:
        draw(maps, options.select).savefig(unfinished, dpi=110)
    words, rest = float(maps.words.mean()), float(maps.supplementary_share.mean())
    note(f"wrote {out}: {words:.2f} of the attention on the words, {rest:.2f} on {maps.supplementary} [SUP] tokens")
    return 0
