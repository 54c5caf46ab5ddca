"""The masks of a project: where their files are, and whether they still are what they were when they were set.

A request in a project file has the path of a mask as `picture.path_in` writes it, and the record an entry with the
content of each. A mask that was moved is found again beside the project file or the video, by name and content.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import replace
from pathlib import Path

from openfoley.errors import MediaError, OpenFoleyError, UsageError
from openfoley.media.read.content_hash import file_hash
from openfoley.media.read.opening import shown
from openfoley.projects.picture import path_in
from openfoley.projects.record import MaskEntry, Record
from openfoley.request import Request


def masks_of(request: Request) -> tuple[Path, ...]:
    """The mask files of the request and its cues."""
    return tuple(dict.fromkeys(region.mask for region in request.regions if region.mask is not None))


def stored(
    folder: Path, request: Request, known: Mapping[Path, MaskEntry], given: Collection[Path]
) -> tuple[Request, tuple[MaskEntry, ...]]:
    """A request whose masks are files as the project file has it, and the entries of its masks. known: entries of the
    project by file, whose contents are read again where they are `given`."""
    entries = {}
    for mask in masks_of(request):
        path = known[mask].path if mask in known else path_in(folder, mask)
        is_known = mask in known and mask not in given
        entries[mask] = MaskEntry(path, known[mask].sha256 if is_known else file_hash(mask))
    return with_masks(request, lambda mask: Path(entries[mask].path)), tuple(dict.fromkeys(entries.values()))


def files_of(folder: Path, record: Record) -> dict[Path, MaskEntry]:
    """The project's masks by file; nothing is said of whether it is there."""
    return {_place(folder, record, entry): entry for entry in record.masks}


def at_files(folder: Path, record: Record, request: Request) -> Request:
    """A request of the project file with the masks that are files."""
    places = {Path(entry.path): place for place, entry in files_of(folder, record).items()}
    return with_masks(request, lambda mask: places.get(mask, folder / mask))


def check_masks(folder: Path, record: Record, request: Request, given: object) -> None:
    """UsageError for a mask of the project that is missing, MediaError for a changed one. given: one that may be."""
    known = files_of(folder, record)
    for mask in masks_of(request):
        if mask in known and str(mask) != str(given):
            _check(folder, known[mask], mask)


def mask_problems(folder: Path, record: Record) -> list[str]:
    """What is wrong with the masks' files, if anything."""
    problems = []
    for mask, entry in files_of(folder, record).items():
        try:
            _check(folder, entry, mask)
        except OpenFoleyError as error:
            problems.append(str(error))
    return problems


def with_masks(request: Request, place: Callable[[Path], Path]) -> Request:
    """The request with its masks, and those of its cues, at other places."""

    def placed(mask: Path | None) -> Path | None:
        return None if mask is None else place(mask)

    prompting, timeline = request.prompting, request.timeline
    cues = tuple(replace(cue, select_mask=placed(cue.select_mask)) for cue in timeline.cue_list)
    prompting = replace(prompting, select_mask=placed(prompting.select_mask))
    return replace(request, prompting=prompting, timeline=replace(timeline, cues=cues))


def _place(folder: Path, record: Record, entry: MaskEntry) -> Path:
    """Where a mask is, or was when it was set."""
    place = folder / entry.path
    beside = (folder / place.name, (folder / record.video.path).with_name(place.name))
    moved = (one for one in beside if one.is_file() and file_hash(one) == entry.sha256)
    return place if place.is_file() else next(moved, place)


def _check(folder: Path, entry: MaskEntry, place: Path) -> None:
    again = f"set it again with `openfoley project set {shown(folder)} --select-mask PATH` (or --cues, of a cue)"
    if not place.is_file():
        raise UsageError(f"the project's mask {shown(place)} is missing; put it back, or {again}")
    if file_hash(place) != entry.sha256:
        raise MediaError(
            f"the project's mask {shown(place)} has changed since it was set; put the old one back, or {again}"
        )
