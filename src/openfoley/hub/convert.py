"""Third-party checkpoints to OpenFoley's safetensors folders, without rounding; unused tensors are left out."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from openfoley.errors import UsageError, WeightsError
from openfoley.generators.mmaudio.foreign import STATISTICS, latent_statistics
from openfoley.hub.cards import CARDS
from openfoley.hub.cards.base import ForeignPart
from openfoley.hub.cards.mmaudio import TOKENIZER_FILES
from openfoley.hub.checkpoint import CONNECTOR, Recognised, check_archive, check_finite, read_checkpoint, recognise
from openfoley.hub.foreign import (
    NAMES_OF_PARTS,
    assemble,
    checkpoints,
    generator_from,
    named,
    selective_from,
    sync_from,
)
from openfoley.hub.pair_foreign import convert_connectors
from openfoley.hub.parts import all_parts, section
from openfoley.hub.save import save_part, tokenizers_of, write_folder

WHOLE: tuple[ForeignPart, ...] = ("network", "vae", "vocoder", "sync", "clip")
WHOLE_SELVA: tuple[ForeignPart, ...] = ("network", "vae", "vocoder", "selective", "clip", "words")


def convert(source: Path, out: Path, *, force: bool = False, weights_dir: Path | None = None) -> str:
    """Convert a checkpoint to a part's folder, or a folder of checkpoints to a model folder; returns what it was.
    weights_dir: the base models of connectors of sound and picture together, which their folder names.

    A network keeps its latent statistics in `latent_statistics.safetensors` beside it, for the codec.
    """
    if not source.exists():
        raise UsageError(f"{str(source)!r} does not exist; pass a checkpoint or a folder of checkpoints")
    if out.exists() and not force:
        raise UsageError(f"the output {str(out)!r} exists; replace it with force=True")
    if out.exists() and out.resolve() in (source.resolve(), *source.resolve().parents):
        raise UsageError(f"the output {str(out)!r} contains the source; choose another folder")
    return _convert_folder(source, out) if source.is_dir() else _convert_file(source, out, weights_dir)


def _convert_file(source: Path, out: Path, weights_dir: Path | None) -> str:
    check_archive(source)
    state = read_checkpoint(source)
    if any(CONNECTOR.search(key) for key in state):
        return convert_connectors(state, out, weights_dir, repr(str(source)))
    kind = _known(recognise(state), source)
    if kind.part == "network":
        module, part = generator_from(kind.variant, state), "generator"
    elif kind.part == "sync":
        module, part = sync_from(state), "sync"
    elif kind.part == "selective":
        module, part = selective_from(state), "sync"
    else:
        raise UsageError(
            f"{str(source)!r} is the {kind.part} {kind.variant}, not a complete part; pass a folder that holds "
            f"all of {', '.join(WHOLE)} and one of {', '.join(TOKENIZER_FILES)}"
        )
    whole = latent_statistics(state) if part == "generator" else ()
    statistics = {key: value.float() for key, value in zip(STATISTICS, whole, strict=False)}
    check_finite(statistics, repr(str(source)))
    save_part(out, section(part, module.config), module.state_dict(), {"latent_statistics": statistics})
    if part != "generator":
        return f"{part}: {kind.variant}"
    is_selva = any(source.name in card.only_by_name for card in CARDS.values())  # the same keys and shapes
    return f"{part}: {'SelVA' if is_selva else 'MMAudio'} {kind.variant}"


def _convert_folder(source: Path, out: Path) -> str:
    states: dict[ForeignPart, Mapping[str, Tensor]] = {}  # mapped from the files
    variants: dict[ForeignPart, tuple[str, Path]] = {}
    for path in checkpoints(source):
        state = read_checkpoint(path)
        kind = recognise(state)
        if kind is None:
            continue
        check_archive(path)
        if kind.part in variants:
            raise UsageError(
                f"two checkpoints of the {kind.part} in {str(source)!r}: {variants[kind.part][1].name} "
                f"({variants[kind.part][0]}) and {path.name} ({kind.variant}); remove one of them"
            )
        states[kind.part], variants[kind.part] = state, (kind.variant, path)
    is_selva = "selective" in states
    missing: list[str] = [part for part in (WHOLE_SELVA if is_selva else WHOLE) if part not in states]
    tokenizers: dict[ForeignPart, Path] = {}
    for part in ("tokenizer", "words-tokenizer") if is_selva else ("tokenizer",):
        if (path := named(source, NAMES_OF_PARTS[part])) is None:
            missing.append(f"{part} ({' or '.join(NAMES_OF_PARTS[part])})")
        else:
            tokenizers[part] = path
    if missing:
        raise WeightsError(f"{str(source)!r} holds no complete model: missing {', '.join(missing)}")
    variant = _known(recognise(states["network"]), variants["network"][1]).variant
    rate = variant.rsplit("-v2", 1)[0].rsplit("-", 1)[1]
    for part in ("vae", "vocoder"):
        if variants[part][0] != rate:
            found, path = variants[part]
            raise WeightsError(f"{str(path)!r} is the {part} for {found}, the network {variant} needs that for {rate}")
    modules = dict(assemble(variant, states.__getitem__, tokenizers))
    name = f"{'selva' if is_selva else 'mmaudio'}-{variant}"
    config = {part: section(part, modules[part].config) for part in all_parts(modules)}
    tensors = {part: modules[part].state_dict() for part in all_parts(modules)}
    write_folder(out, name, config, tensors, tokenizers_of(modules), exact=True)
    return name


def _known(kind: Recognised | None, path: Path) -> Recognised:
    if kind is None:
        raise WeightsError(f"{str(path)!r} is a checkpoint that OpenFoley does not recognise")
    names = {(file.part, file.variant) for model in CARDS.values() for file in model.files}
    if (kind.part, kind.variant) not in names:
        raise WeightsError(f"{str(path)!r} is an {kind.variant}; known: {', '.join(sorted(v for _, v in names))}")
    return kind
