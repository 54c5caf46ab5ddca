"""From parsed arguments to a request, checked before heavy work, and messages about resumable work."""

from __future__ import annotations

from argparse import Namespace
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from openfoley.cli.messages import Terminated, note, print_json
from openfoley.cli.request_arguments import request_of
from openfoley.errors import OpenFoleyError, UsageError
from openfoley.hub.registry import check_model, check_selects, check_whole_video, sampling_of
from openfoley.media.read.opening import shown
from openfoley.request import Request, windows_asked
from openfoley.synthesis.saving import Delivery, identity
from openfoley.timeline.plan import CONTEXT_S, NEW_S
from openfoley.timeline.shots import CUT_RULES

NO_RESULT = ("run", "json", "force")  # arguments that do not affect the result


def checked_request(options: Namespace) -> Request:
    """The request of the arguments, checked as far as possible without reading the video."""
    check_model(options.model)
    request = request_of(options)
    defaults, supported = sampling_of(options.model)
    if wrong := request.sampling.unsupported(supported):
        raise UsageError(f"--{wrong.replace('_', '-')} is not an option of {options.model}; leave it out")
    sampling = request.sampling.resolved(defaults)
    options.steps, options.guidance = sampling.steps, sampling.guidance
    check_selects(options.model, request)
    check_whole_video(options.model, request, options.adapters)
    windows_asked(request.timeline, CONTEXT_S, NEW_S)
    reference, cuts = request.prompting.reference, request.timeline.cuts
    if reference is not None and not reference.is_file():
        raise UsageError(f"the reference {shown(reference)} does not exist or is not a file")
    if (mask := request.prompting.select_mask) is not None and not mask.is_file():
        raise UsageError(f"the mask {shown(mask)} does not exist or is not a file; check the path")
    if cuts not in CUT_RULES and not Path(str(cuts)).is_file():
        raise UsageError(f"cuts must be one of {', '.join(CUT_RULES)} or a file, got {shown(str(cuts))!r}")
    return request


def delivery_of(options: Namespace, paths: Sequence[Path], stems: Sequence[Path] = ()) -> Delivery:
    """The outputs of this command, and which of them an earlier run has written. stems: beside them."""
    words = {name: value for name, value in vars(options).items() if name not in NO_RESULT}
    files = [
        getattr(options, name, None)
        for name in ("video", "sound", "cues", "cuts", "reference", "select_mask", "model", "adapters")
    ]
    return Delivery(paths, identity(words, files), options.force, stems)


def finished_before(options: Namespace, delivery: Delivery) -> bool:
    """Whether the same command had written everything before it was killed; its leftovers are removed."""
    if not delivery.is_finished:
        return False
    delivery.clear()
    for path in delivery.paths:
        note(f"{path} was already written")
    if options.json:
        print_json({"video": options.video, "takes": [{"path": str(path)} for path in delivery.paths]})
    return True


@contextmanager
def resumable(folder: Path) -> Iterator[None]:
    """Report what is kept to resume from if the block fails."""
    try:
        yield
    except (OpenFoleyError, KeyboardInterrupt, Terminated):
        if folder.exists():
            note(f"finished work is kept in {folder}; run the same command again to resume")
        raise
