"""`openfoley models`, `openfoley doctor`, `openfoley convert`: what there is, what is here, and making it ours."""

from __future__ import annotations

import platform
import shutil
from argparse import Namespace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from openfoley.cli.messages import note, print_json
from openfoley.errors import WeightsError

LIBRARIES = ("torch", "transformers", "av", "numpy", "safetensors", "tokenizers")


def models(options: Namespace) -> int:
    """Every model that has a name: rate, size, licence, and what of it is on disk."""
    from openfoley.hub.download import cache_folder
    from openfoley.hub.foreign import locate
    from openfoley.hub.registry import CONFIG_NAME, SHIPPED, SHIPPED_FOLDER
    from openfoley.hub.sources import FOREIGN_MODELS

    rows: list[dict[str, Any]] = []
    for name in SHIPPED:
        folder = SHIPPED_FOLDER / name
        size = sum(path.stat().st_size for path in folder.glob("*")) if folder.is_dir() else 0
        here = "all" if (folder / CONFIG_NAME).is_file() else "none"
        rows.append(_row(name, 44100, 2, size, "Apache-2.0", here, str(folder), []))
    for model in FOREIGN_MODELS.values():
        found, missing = locate(model.files, Path(options.weights_dir) if options.weights_dir else None)
        here = "all" if not missing else f"{len(found)} of {len(model.files)} files" if found else "none"
        rows.append(
            _row(
                model.name,
                model.sample_rate,
                1,
                model.size_bytes,
                model.licence,
                here,
                str(options.weights_dir or cache_folder()),
                [file.name for file in missing],
            )  # fmt: skip
        )
    if options.json:
        print_json({"models": rows})
        return 0
    print(f"{'model':<22} {'Hz':>6} {'channels':>8} {'size':>9}  {'on disk':<14} licence")
    for row in rows:
        size = f"{row['size_bytes'] / 1e9:.1f} GB" if row["size_bytes"] > 1e9 else f"{row['size_bytes'] / 1e6:.0f} MB"
        print(
            f"{row['name']:<22} {row['sample_rate']:>6} {row['channels']:>8} {size:>9}  {row['on_disk']:<14} "
            f"{row['licence']}"
        )
    note(f"fetched weights are kept in {cache_folder()}; sizes count files that models share once for each model")
    return 0


def _row(
    name: str, rate: int, channels: int, size: int, licence: str, here: str, folder: str, missing: list[str]
) -> dict[str, Any]:
    return {
        "name": name,
        "sample_rate": rate,
        "channels": channels,
        "size_bytes": size,
        "licence": licence,
        "on_disk": here,
        "folder": folder,
        "missing": missing,
    }


def doctor(options: Namespace) -> int:
    """The environment, the devices, and every checkpoint found, told by its content."""
    from openfoley import __version__
    from openfoley.hub.download import cache_folder

    cache = cache_folder()
    folder = Path(options.weights_dir) if options.weights_dir else cache
    near = next(place for place in (cache, *cache.parents) if place.is_dir())
    report = {
        "openfoley": __version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "libraries": {name: _installed(name) for name in LIBRARIES},
        "devices": _devices(),
        "cache": str(cache),
        "cache_free_bytes": shutil.disk_usage(near).free,
        "weights_folder": str(folder),
        "weights": _weights(folder),
    }
    if options.json:
        print_json(report)
        return 0
    print(f"openfoley {report['openfoley']}, Python {report['python']}, {report['system']}")
    print(", ".join(f"{name} {found or 'MISSING'}" for name, found in report["libraries"].items()))
    for device in report["devices"]:
        free = device["free_bytes"]
        print(f"device {device['name']}: {device['what']}" + (f", {free / 1e9:.1f} GB free" if free else ""))
    print(f"cache {cache}, {report['cache_free_bytes'] / 1e9:.1f} GB free")
    print(f"weights in {folder}:" + ("" if report["weights"] else " none"))
    for entry in report["weights"]:
        print(f"  {entry['file']}: {entry['what']}")
    return 0


def _installed(name: str) -> str | None:
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
    """Checkpoints of a folder and what they are; a file that cannot be read says why."""
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
        except WeightsError as error:
            what = f"damaged: {error}"
        entries.append({"file": str(path.relative_to(folder)), "what": what})
    return entries


def convert(options: Namespace) -> int:
    """A foreign checkpoint, or a folder of them, to our safetensors folder."""
    from openfoley.hub.convert import convert as converted

    what = converted(Path(options.source), Path(options.out), force=options.force)
    note(f"wrote {options.out}: {what}")
    if options.json:
        print_json({"out": options.out, "what": what})
    return 0
