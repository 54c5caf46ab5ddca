"""`openfoley models`, `openfoley doctor`, `openfoley convert`: list models, inspect the machine, convert weights."""

from __future__ import annotations

import platform
import shutil
import textwrap
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.cli.messages import note, print_json
from openfoley.errors import WeightsError

if TYPE_CHECKING:
    from openfoley.hub.cards.base import Card

TASK_WIDTH = 48  # letters, in the list of models
ANSWERS = {"selects_by_text": ("yes (--select)", "no"), "adapters": ("yes (--whole-video)", "none")}  # yes, no
LIBRARIES = ("torch", "transformers", "av", "numpy", "safetensors", "tokenizers")


def models(options: Namespace) -> int:
    """All named models, or one card: purpose, size, licence, and which files are on disk."""
    from openfoley.cli.pair_models import pair_row, show_pair_model
    from openfoley.hub.cards import CARDS
    from openfoley.hub.cards.svg import PAIR_CARDS
    from openfoley.hub.download import cache_folder
    from openfoley.hub.registry import find_card

    weights_dir = Path(options.weights_dir) if options.weights_dir else None
    if options.name in PAIR_CARDS:
        return show_pair_model(PAIR_CARDS[options.name], options.json, weights_dir)
    cards = [find_card(options.name)] if options.name else list(CARDS.values())
    rows = [_row(card, weights_dir) for card in cards]
    if options.json:
        pairs = [pair_row(card) for card in PAIR_CARDS.values()]
        print_json({"models": rows} if options.name else {"models": rows, "pair_models": pairs})
        return 0
    if options.name:
        for key, value in rows[0].items():
            if key == "words":
                print(f"\n{_words(cards[0].words)}")
            elif value not in ([], ""):
                shown = ", ".join(value) if isinstance(value, list) else _amount(key, value)
                print(f"{key.removesuffix('_bytes').replace('_', ' '):<15} {shown}")
        return 0
    print(
        f"{'model':<22} {'Hz':>6} {'channels':>8} {'parameters':>10} {'download':>8} {'memory':>7}  "
        f"{'task':<{TASK_WIDTH}} licence"
    )
    for row in rows:
        amounts = [_amount(key, row[key]) for key in ("parameters", "download_bytes", "memory_bytes")]
        print(
            f"{row['name']:<22} {row['sample_rate']:>6} {row['channels']:>8} {amounts[0]:>10} {amounts[1]:>8} "
            f"{amounts[2]:>7}  {row['task']:<{TASK_WIDTH}} {row['licence']}"
        )
    print("sound and picture together (openfoley generate-pair):")
    for card in PAIR_CARDS.values():
        about = f"{card.task}; {card.clip}; {pair_row(card)['weights']}"
        print(f"{card.name:<24} {_amount('parameters', card.parameters):>8}  {about}")
    note(
        f"openfoley models NAME shows one; downloads are kept in {cache_folder()} and files that models share are "
        "fetched once"
    )
    return 0


def _row(card: Card, weights_dir: Path | None) -> dict[str, Any]:
    from openfoley.hub.download import cache_folder
    from openfoley.hub.foreign import locate
    from openfoley.hub.registry import CONFIG_NAME, SHIPPED_FOLDER, adapters_beside, selects

    folder, missing = SHIPPED_FOLDER / card.name, []
    here = "all" if (folder / CONFIG_NAME).is_file() else "none"
    if card.files:
        found, missing = locate(card.files, weights_dir)
        here = "all" if not missing else f"{len(found)} of {len(card.files)} files" if found else "none"
        folder = weights_dir or cache_folder()
    return {
        "name": card.name,
        "task": card.task,
        "scope": card.scope,
        "selects_by_text": selects(card.name),
        "adapters": adapters_beside(card.name) is not None,
        "sample_rate": card.sample_rate,
        "channels": card.channels,
        "parameters": card.parameters,
        "trained_s": card.trained_s,
        "licence": card.licence,
        "licences": [f"{file.name}: {file.licence}" for file in card.files],
        "download_bytes": card.download_bytes,
        "memory_bytes": card.memory_bytes,
        "cached_kernels_bytes": card.kernel_bytes,
        "on_disk": here,
        "folder": str(folder),
        "missing": [file.name for file in missing],
        "words": list(card.words),
    }


def _amount(key: str, value: Any) -> str:
    if key in ANSWERS:
        yes, no = ANSWERS[key]
        return yes if value else no
    if key == "parameters":
        return f"{value / 1e6:.0f} M"
    if key.endswith("_bytes"):
        return f"{value / 1e9:.1f} GB" if value else "none"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _words(words: tuple[str, ...]) -> str:
    if not words:
        return "words: free English text"
    return textwrap.fill(f"words it knows ({len(words)}): {' '.join(words)}", 100)


def doctor(options: Namespace) -> int:
    """The environment, the devices, and every checkpoint found, recognised by content."""
    from openfoley import __version__
    from openfoley.cli.pair_models import pair_lines, pair_report
    from openfoley.hub.cards import CARDS
    from openfoley.hub.download import cache_folder

    cache = cache_folder()
    folder = Path(options.weights_dir) if options.weights_dir else cache
    near = next(place for place in (cache, *cache.parents) if place.is_dir())
    report = {
        "openfoley": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "libraries": {name: installed(name) for name in LIBRARIES},
        "devices": _devices(),
        "memory_needed_bytes": {card.name: card.memory_bytes for card in CARDS.values()},
        "cache": str(cache),
        "cache_free_bytes": shutil.disk_usage(near).free,
        "weights_folder": str(folder),
        "weights": _weights(folder),
        "pairs": pair_report(Path(options.weights_dir) if options.weights_dir else None, installed("diffusers")),
    }
    if options.json:
        print_json(report)
        return 0
    print(f"openfoley {report['openfoley']}, Python {report['python']}, {report['system']}")
    print(", ".join(f"{name} {found or 'MISSING'}" for name, found in report["libraries"].items()))
    for device in report["devices"]:
        free = device["free_bytes"]
        print(f"device {device['name']}: {device['what']}" + (f", {free / 1e9:.1f} GB free" if free else ""))
    needed = report["memory_needed_bytes"].items()
    print("memory needed: " + ", ".join(f"{name} {count / 1e9:.1f} GB" for name, count in needed))
    print(f"cache {cache}, {report['cache_free_bytes'] / 1e9:.1f} GB free")
    print(f"weights in {folder}:" + ("" if report["weights"] else " none"))
    for entry in report["weights"]:
        print(f"  {entry['file']}: {entry['what']}")
    print(*pair_lines(report["pairs"]), sep="\n")
    return 0


def installed(name: str) -> str | None:
    """Its version."""
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _devices() -> list[dict[str, Any]]:
    import torch

    from openfoley.hub.memory import available_bytes

    found = [
        {
            "name": "cpu",
            "what": f"{torch.get_num_threads()} threads",
            "free_bytes": available_bytes(torch.device("cpu")),
        }
    ]
    for number in range(torch.cuda.device_count()):
        device = torch.device("cuda", number)
        what = torch.cuda.get_device_name(device)
        found.append({"name": str(device), "what": what, "free_bytes": available_bytes(device)})
    if torch.backends.mps.is_available():
        found.append({"name": "mps", "what": "Apple GPU", "free_bytes": None})
    return found


def _weights(folder: Path) -> list[dict[str, str]]:
    """Checkpoints of a folder and what they are, or why a file cannot be read."""
    from openfoley.hub.cards import CARDS
    from openfoley.hub.checkpoint import check_archive, check_finite, read_checkpoint, recognise
    from openfoley.hub.foreign import checkpoints

    entries = []
    for path in checkpoints(folder) if folder.is_dir() else []:
        try:
            state = read_checkpoint(path)
            check_archive(path)
            check_finite(state, repr(path.name))
            kind = recognise(state)
            what = f"{kind.part}: {kind.variant}" if kind else "not known to OpenFoley"
            what += f" ({kind.note})" if kind and kind.note else ""
            if owners := ", ".join(name for name, card in CARDS.items() if path.name in card.only_by_name):
                what += f", by its name of {owners}"
        except WeightsError as error:
            what = f"damaged: {error}"
        entries.append({"file": str(path.relative_to(folder)), "what": what})
    return entries


def convert(options: Namespace) -> int:
    """Convert a third-party checkpoint, or a folder of them, to a safetensors folder."""
    from openfoley.hub.convert import convert as converted

    weights_dir = Path(options.weights_dir) if options.weights_dir else None
    what = converted(Path(options.source), Path(options.out), force=options.force, weights_dir=weights_dir)
    note(f"wrote {options.out}: {what}")
    if options.json:
        print_json({"out": options.out, "what": what})
    return 0
