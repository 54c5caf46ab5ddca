"""Models of sound and picture together in `openfoley models` and `openfoley doctor`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from openfoley.cli.messages import print_json

if TYPE_CHECKING:
    from openfoley.hub.cards.svg import PairCard


def show_pair_model(card: PairCard, as_json: bool, weights_dir: Path | None) -> int:
    """One card, with what is missing of its base models."""
    from openfoley.hub.pair_files import missing_parts

    row = pair_row(card)
    if card.bases:
        size = f"{card.download_bytes / 1e9:.1f} GB"
        row |= {"download": size, "missing": missing_parts(card, weights_dir)}
    if as_json:
        print_json({"models": [row]})
        return 0
    row["memory"] = f"{row.pop('memory_bytes') / 1e9:.1f} GB"
    for key, value in row.items():
        print(f"{key:<14} {', '.join(value) or 'nothing' if isinstance(value, list) else value}")
    return 0


def pair_row(card: PairCard) -> dict[str, Any]:
    from openfoley.hub.cards.svg import CONNECTORS_MISSING, TRAIN_GYM

    missing = f"not trained yet; {TRAIN_GYM}" if card.shipped else CONNECTORS_MISSING
    bases = [f"{base.repository} ({base.licence})" for base in card.bases]
    return {
        "name": card.name, "task": card.task, "scope": card.scope, "clip": card.clip, "parameters": card.parameters,
        "memory_bytes": card.memory_bytes, "licence": card.licence, "weights": "shipped" if _is_here(card) else missing,
        **({"bases": bases} if bases else {}),
    }  # fmt: skip


def pair_report(weights_dir: Path | None, diffusers: str | None) -> dict[str, Any]:
    """For `doctor`: the version of the package that they need, each named model, and the models in the weights
    folder."""
    from openfoley.hub.cards.svg import PAIR_CARDS
    from openfoley.hub.pair_files import missing_parts

    states = {}
    for card in PAIR_CARDS.values():
        missing = missing_parts(card, weights_dir)
        count = sum(len(base.parts) for base in card.bases)
        parts = f"{count - len(missing)} of {count} parts of its base models" if count else ""
        own = "weights shipped" if _is_here(card) else "not trained yet" if card.shipped else "no connectors published"
        state = f"{own}; {parts}" if parts else own
        states[card.name] = {"state": state, "missing": missing, "memory_needed_bytes": card.memory_bytes}
    folders = [] if weights_dir is None or not weights_dir.is_dir() else _pair_folders(weights_dir)
    return {"diffusers": diffusers, "models": states, "folders": folders}


def pair_lines(report: dict[str, Any]) -> list[str]:
    """The report as text."""
    package = report["diffusers"] or "MISSING, pip install 'openfoley[joint]'"
    lines = [f"sound and picture together (openfoley generate-pair): diffusers {package}"]
    for name, about in report["models"].items():
        more = f" (openfoley models {name} lists what is missing)" if about["missing"] else ""
        lines.append(f"  {name}: {about['state']}{more}; {about['memory_needed_bytes'] / 1e9:.1f} GB of memory needed")
    return lines + [f"  {entry['folder']}: {entry['what']}" for entry in report["folders"]]


def _is_here(card: PairCard) -> bool:
    from openfoley.hub.registry import CONFIG_NAME, SHIPPED_FOLDER

    return (SHIPPED_FOLDER / card.name / CONFIG_NAME).is_file()


def _pair_folders(folder: Path) -> list[dict[str, str]]:
    """Trained models of sound and picture in a folder and below, or why one cannot be used."""
    from openfoley.errors import OpenFoleyError
    from openfoley.hub.pair import is_pair_folder, pair_limits
    from openfoley.hub.registry import CONFIG_NAME

    entries = []
    for config in sorted(folder.rglob(CONFIG_NAME)):
        if not is_pair_folder(config.parent):
            continue
        try:
            limits = pair_limits(config.parent)
            what = f"{limits.name}, {limits.frames} frames at {limits.rate} Hz, for --model"
        except OpenFoleyError as error:
            what = f"damaged: {error}"
        entries.append({"folder": str(config.parent), "what": what})
    return entries
