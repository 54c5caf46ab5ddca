"""Where the files of published base models are: in the user's folder, in the cache, else downloaded from the Hub.

A folder is searched as people have these repositories: DIR/OWNER/NAME (`hf download OWNER/NAME --local-dir ...`),
DIR/NAME, and the Hub's own cache DIR/models--OWNER--NAME/snapshots/*. Nobody publishes sums for these files: they are
not pinned. What is checked: every name and shape against the config beside it, and a fingerprint of the tensors, by
which connectors know the bases that they were trained on.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from openfoley.errors import WeightsError
from openfoley.hub.cards.svg import CONFIG, HUB, BaseModel, BasePart, PairCard, PartName
from openfoley.hub.download import NotPublished, Progress, cache_folder, fetch, is_online

logger = logging.getLogger(__name__)

SMALL_BYTES = 2_000_000
"""About the size of a config or a vocabulary."""


@dataclass(frozen=True)
class BaseFile:
    """To download (`hub.download.Download`)."""

    name: str
    url: str
    size_bytes: int
    md5: str | None = None


@dataclass(frozen=True)
class PartFiles:
    """A part's files, in the order of its card."""

    base: BaseModel
    part: BasePart
    paths: tuple[Path, ...]

    @property
    def where(self) -> str:
        """For messages."""
        return f"the {self.part.name} of {self.base.repository} ({str(self.paths[-1])!r})"


def obtain_bases(
    card: PairCard, weights_dir: Path | None, progress: Progress | None = None
) -> dict[PartName, PartFiles]:
    """Every part's files. WeightsError names what is missing and how to get it."""
    if weights_dir is not None and not weights_dir.is_dir():
        raise WeightsError(f"the weights folder {str(weights_dir)!r} does not exist")
    every = [(base, part) for base in card.bases for part in base.parts]
    found = {part.name: _located(base, part, weights_dir) for base, part in every}
    missing = [(base, part) for base, part in every if None in found[part.name]]
    if missing:
        if not is_online(_url(missing[0][0], missing[0][1], CONFIG)):
            raise WeightsError(_offline(card, missing, weights_dir))
        licences = ", ".join(dict.fromkeys(f"{base.repository}: {base.licence}" for base, _ in missing))
        size = sum(part.bytes for _, part in missing) / 1e9
        logger.info("fetching about %.1f GB into %s; licences: %s", size, cache_folder(), licences)
    for base, part in missing:
        here = zip(found[part.name], part.files, strict=True)
        found[part.name] = [path or _fetched(base, part, names, progress) for path, names in here]
    return {
        part.name: PartFiles(base, part, tuple(path for path in found[part.name] if path is not None))
        for base, part in every
    }


def missing_parts(card: PairCard, weights_dir: Path | None) -> list[str]:
    """Repository and part of what is neither in the folder nor in the cache."""
    return [
        f"{part.name} of {base.repository}"
        for base in card.bases
        for part in base.parts
        if None in _located(base, part, weights_dir)
    ]


def _located(base: BaseModel, part: BasePart, weights_dir: Path | None) -> list[Path | None]:
    roots = [root for root in (weights_dir, cache_folder()) if root is not None]
    places = [place / part.place for root in roots for place in _places(root, base.repository)]
    return [
        next((place / name for place in places for name in names if (place / name).is_file()), None)
        for names in part.files
    ]


def _places(root: Path, repository: str) -> Iterator[Path]:
    owner, name = repository.split("/")
    yield root / owner / name
    yield root / name
    yield from sorted(root.glob(f"models--{owner}--{name}/snapshots/*"))


def _url(base: BaseModel, part: BasePart, name: str) -> str:
    return HUB.format(repository=base.repository, path=f"{part.place}/{name}".lstrip("/"))


def _fetched(base: BaseModel, part: BasePart, names: Sequence[str], progress: Progress | None) -> Path:
    folder = cache_folder() / base.repository / part.place
    size = SMALL_BYTES if names == (CONFIG,) or not part.bytes else part.bytes
    for name in names[:-1]:
        try:
            return fetch(BaseFile(name, _url(base, part, name), size), folder, progress)
        except NotPublished:
            logger.info("%s has no %s", base.repository, name)
    return fetch(BaseFile(names[-1], _url(base, part, names[-1]), size), folder, progress)


def _offline(card: PairCard, missing: Sequence[tuple[BaseModel, BasePart]], weights_dir: Path | None) -> str:
    lacking: dict[str, list[str]] = {}
    for base, part in missing:
        files = "/".join(names[0] for names in part.files)
        size = f", {part.bytes / 1e9:.1f} GB" if part.bytes else ""
        lacking.setdefault(base.repository, []).append(f"{part.place or '.'} ({files}{size})")
    wanted = "; ".join(f"{repository}: {', '.join(parts)}" for repository, parts in lacking.items())
    first, place = next(iter(lacking)), "DIR" if weights_dir is None else str(weights_dir)
    return (
        f"{card.name}: no network, and these base weights are not here: {wanted}; fetch each elsewhere, for example "
        f"`hf download {first} --local-dir {place}/{first}`, and pass --weights-dir {place}"
    )
