"""A published model from its publishers' own files: found or downloaded, checked, renamed, and loaded strictly."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from openfoley.errors import WeightsError
from openfoley.hub.cards import CARDS
from openfoley.hub.cards.base import Card, ForeignPart, WeightFile
from openfoley.hub.cards.mmaudio import TOKENIZER_FILES
from openfoley.hub.cards.selva import CARDS as SELVA
from openfoley.hub.cards.selva import WORDS as SELVA_WORDS
from openfoley.hub.cards.selva import WORDS_FILES, WORDS_TOKENIZER, WORDS_TOKENIZER_FILES
from openfoley.hub.checkpoint import SUFFIXES, check_archive, read_checkpoint, recognise
from openfoley.hub.download import Progress, cache_folder, check_hash, fetch, is_online
from openfoley.hub.filling import fill, ready, unfilled
from openfoley.hub.memory import Released, check_memory, fits, released
from openfoley.hub.parts import FORMAT, Model, all_parts, section

logger = logging.getLogger(__name__)

Read = Callable[[ForeignPart], Mapping[str, Tensor]]
NAMES_OF_PARTS: dict[ForeignPart, tuple[str, ...]] = {  # names that these go by
    "tokenizer": TOKENIZER_FILES,
    "words-tokenizer": WORDS_TOKENIZER_FILES,
    "words": WORDS_FILES,
}
T5_FOLDER = "flan-t5-base"
CHECKED_SUFFIX = ".checked"  # beside a downloaded file: its size and time when its hash or checksums were verified


def load_foreign(
    model: Card,
    device: torch.device,
    weights_dir: Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """The model in float32 and evaluation mode. WeightsError names the file and what was expected.

    The parts are loaded one after another, and what was read of one is freed before the next. On a CPU the encoders'
    weights stay in their files and are in memory layer by layer. (Half precision was measured for CLIP: float16 moves
    its features by 6e-4 of their length, bfloat16 by 5e-3; guidance amplifies that beyond the goldens' tolerance at the
    end of sampling.)
    """
    from openfoley.generators.mmaudio.model import MMAudioGenerator

    check_memory(model, device)
    paths = {file.part: (file, path) for file, path in obtain(model, weights_dir, progress).items()}

    def read(part: ForeignPart) -> Mapping[str, Tensor]:
        file, path = paths[part]
        state = read_checkpoint(path)
        check_variant(state, file, path)
        return Released(state)

    modules: dict[str, nn.Module] = {}
    tokenizers: dict[ForeignPart, Path] = {part: path for part, (_, path) in paths.items() if part in NAMES_OF_PARTS}
    for part, module in assemble(model.variant, read, tokenizers):
        modules[part] = ready(part, module, device)
    generator = modules["generator"]
    assert isinstance(generator, MMAudioGenerator)
    if device.type == "cpu" and fits(model.kernel_bytes + model.working_bytes, device):
        generator.remember_kernels()  # 1.5 times as fast
    return Model.of_parts(model.name, modules, described(model.name, modules))


def load_words(device: torch.device, weights_dir: Path | None = None, progress: Progress | None = None) -> nn.Module:
    """FLAN-T5, which reads what is selected in SelVA, without the rest; as `load_foreign`."""
    files = (SELVA_WORDS, WORDS_TOKENIZER)
    paths = {file.part: path for file, path in obtain(replace(SELVA[0], files=files), weights_dir, progress).items()}
    words = words_from(Released(read_checkpoint(paths["words"])), paths["words-tokenizer"])
    return ready("words", words, device)


def obtain(model: Card, weights_dir: Path | None, progress: Progress | None = None) -> dict[WeightFile, Path]:
    """Every file of the model: from weights_dir, else from the cache, else from the network."""
    found, missing = locate(model.files, weights_dir)
    if missing and not is_online(missing[0].url):
        raise WeightsError(_offline(model, missing, weights_dir))
    if missing:
        size = sum(file.size_bytes for file in missing) / 1e9
        licences = ", ".join(sorted({f"{file.name}: {file.licence}" for file in missing}))
        logger.info("fetching %.1f GB for %s into %s; licences: %s", size, model.name, cache_folder(), licences)
    for file in missing:
        found[file] = fetch(file, cache_folder(), progress)
        _mark_checked(found[file])
    for file, path in found.items():
        is_named = path.name == file.name  # one found by content may be another training of the same network
        has_hash = path.parent == cache_folder() or (is_named and file.md5 is not None)
        _check_once(path, file if has_hash else None)
    return found


def locate(files: Sequence[WeightFile], weights_dir: Path | None) -> tuple[dict[WeightFile, Path], list[WeightFile]]:
    """Which files are in weights_dir (by name, else by content) or the cache, and which are missing."""
    if weights_dir is not None and not weights_dir.is_dir():
        raise WeightsError(f"the weights folder {str(weights_dir)!r} does not exist")
    found: dict[WeightFile, Path] = {}
    for file in files:
        given = named(weights_dir, NAMES_OF_PARTS.get(file.part, (file.name,))) if weights_dir else None
        path = given or cache_folder() / file.name
        if path.is_file():
            found[file] = path
    searched = [file for file in files if file not in found and not file.only_by_name]
    if searched and weights_dir is not None:
        known, reserved = set(found.values()), {name for card in CARDS.values() for name in card.only_by_name}
        for path in checkpoints(weights_dir):
            if path not in known and path.name not in reserved:
                kind = _kind(path)
                match = next((file for file in searched if (file.part, file.variant) == kind), None)
                if match is not None:
                    found[match] = path
                    searched.remove(match)
    return found, [file for file in files if file not in found]


def named(folder: Path, names: Sequence[str]) -> Path | None:
    """The first file of these names in a folder and below. T5's own folder, whose files are called as others are, is
    searched only for names that begin with it."""
    found = (
        path
        for name in names
        for path in sorted(folder.rglob(name))
        if path.is_file() and (path.parent.name != T5_FOLDER or "/" in name)
    )
    return next(found, None)


def checkpoints(folder: Path) -> list[Path]:
    """Files in a folder and below that could hold weights."""
    return sorted(path for path in folder.rglob("*") if path.suffix in SUFFIXES and path.is_file())


def _kind(path: Path) -> tuple[str, str] | None:
    try:
        recognised = recognise(read_checkpoint(path))
    except WeightsError:
        return None
    return None if recognised is None else (recognised.part, recognised.variant)


def _offline(model: Card, missing: Sequence[WeightFile], weights_dir: Path | None) -> str:
    place = f"{str(weights_dir)!r}" if weights_dir is not None else f"{str(cache_folder())!r} (or pass --weights-dir)"
    wanted = ", ".join(f"{file.name} ({file.size_bytes / 1e9:.1f} GB, {file.url})" for file in missing)
    return f"{model.name}: no network, and these weights are not here: {wanted}; put them into {place}"


def check_variant(state: Mapping[str, Tensor], file: WeightFile, path: Path) -> None:
    """WeightsError for a checkpoint of another network, naming what it is."""
    recognised = recognise(state)
    if recognised is None or (recognised.part, recognised.variant) != (file.part, file.variant):
        kind = "nothing known here" if recognised is None else f"the {recognised.part} {recognised.variant}"
        raise WeightsError(f"{str(path)!r} holds {kind}, expected the {file.part} {file.variant} ({file.name})")


def assemble(variant: str, read: Read, tokenizers: Mapping[ForeignPart, Path]) -> Iterator[tuple[str, nn.Module]]:
    """The parts with the published weights, each loaded strictly on demand; SelVA's, if there is a tokenizer for the
    words that select."""
    is_selective = "words-tokenizer" in tokenizers
    yield "semantic", semantic_from(read("clip"), tokenizers["tokenizer"], with_pictures=not is_selective)
    if is_selective:
        yield "words", words_from(read("words"), tokenizers["words-tokenizer"])
        yield "sync", selective_from(read("selective"))
    else:
        yield "sync", sync_from(read("sync"))
    yield "codec", codec_from(variant, read)
    yield "generator", generator_from(variant, read("network"))


def generator_from(variant: str, network: Mapping[str, Tensor]) -> nn.Module:
    from openfoley.generators.mmaudio.config import VARIANTS
    from openfoley.generators.mmaudio.foreign import from_mmaudio
    from openfoley.generators.mmaudio.model import MMAudioGenerator

    state = _renamed(from_mmaudio, f"network {variant}", network)
    state = _unmapped({key: value.float() for key, value in state.items()}, network)
    return _filled(lambda: MMAudioGenerator(VARIANTS[variant]), state, f"network {variant}")


def codec_from(variant: str, read: Read) -> nn.Module:
    from openfoley.codecs.mmaudio import CODEC_16K, CODEC_44K, MMAudioCodec, from_mmaudio
    from openfoley.generators.mmaudio.foreign import latent_statistics

    config = CODEC_16K if variant.endswith("16k") else CODEC_44K
    vae, vocoder = read("vae"), read("vocoder")
    state = _renamed(from_mmaudio, "codec", vae, vocoder, *latent_statistics(read("network")))
    return _filled(lambda: MMAudioCodec(config), _unmapped(state, vae, vocoder), "codec")


def sync_from(state: Mapping[str, Tensor]) -> nn.Module:
    from openfoley.encoders.synchformer import SYNCHFORMER, SynchformerEncoder, from_mmaudio

    state = _renamed(from_mmaudio, "Synchformer", state)
    return _filled(lambda: SynchformerEncoder(SYNCHFORMER), state, "Synchformer")


def selective_from(state: Mapping[str, Tensor]) -> nn.Module:
    from openfoley.encoders.selective_synchformer import SELVA, SelectiveSynchformer, from_selva_checkpoint

    tokens = len(state["sup_text_feat"]) if "sup_text_feat" in state else 0
    config = replace(SELVA, selection=replace(SELVA.selection, supplementary=tokens))
    renamed = _renamed(from_selva_checkpoint, "video encoder of SelVA", state)
    renamed.setdefault("selection.supplementary", torch.zeros(0, config.selection.text_dim))
    return _filled(lambda: SelectiveSynchformer(config), renamed, "video encoder of SelVA")


def words_from(state: Mapping[str, Tensor], tokenizer: Path) -> nn.Module:
    from openfoley.encoders.t5 import FLAN_T5_BASE, T5TextEncoder, from_t5

    text = tokenizer.read_text(encoding="utf-8")
    return _filled(lambda: T5TextEncoder(FLAN_T5_BASE, text), _renamed(from_t5, "T5", state), "T5")


def semantic_from(state: Mapping[str, Tensor], tokenizer: Path, *, with_pictures: bool = True) -> nn.Module:
    """CLIP, or its text tower alone."""
    from openfoley.encoders.clip import DFN5B_TEXT, DFN5B_VIT_H_14, ClipEncoder, ClipTextEncoder, from_open_clip
    from openfoley.encoders.clip_tokenizer import clip_tokenizer, read_merges

    text, renamed = clip_tokenizer(read_merges(tokenizer)).to_str(), _renamed(from_open_clip, "CLIP", state)
    if with_pictures:
        return _filled(lambda: ClipEncoder(DFN5B_VIT_H_14, text), renamed, "CLIP")
    own = {key: value for key, value in renamed.items() if key.startswith("text.")}
    return _filled(lambda: ClipTextEncoder(DFN5B_TEXT, text), own, "CLIP")


def _filled(make: Callable[[], nn.Module], state: Mapping[str, Tensor], name: str) -> nn.Module:
    module = unfilled(make)
    fill(module, state, f"the checkpoint of the {name}", assign=True)
    return module


def _renamed(
    rename: Callable[..., dict[str, Tensor]], name: str, *given: Mapping[str, Tensor] | Tensor
) -> dict[str, Tensor]:
    """The state with our names. Renaming splits and joins tensors by the published shapes; others fail in torch."""
    try:
        return rename(*given)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise WeightsError(
            f"the checkpoint of the {name} has names or shapes other than the published ones ({reason[:120]})"
        ) from None


def _unmapped(state: dict[str, Tensor], *files: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """If most tensors were recomputed, copy the few that are still views of the files' mappings: each would keep its
    whole file in memory."""
    mapped = {tensor.data_ptr() for file in files for tensor in file.values()}
    return {key: value.clone() if value.data_ptr() in mapped else value for key, value in released(state)}


def described(name: str, modules: Mapping[str, nn.Module]) -> dict[str, object]:
    """The contents of config.json for this model."""
    sections = {part: section(part, modules[part].config) for part in all_parts(modules)}
    return {"format": FORMAT, "name": name, **sections}


def _check_once(path: Path, published: WeightFile | None) -> None:
    """Verify the published hash, else the archive's own checksums, unless this file was verified before."""
    mark = path.with_name(path.name + CHECKED_SUFFIX)
    if mark.is_file() and mark.read_text() == _identity(path):
        return
    logger.info("checking %s", path)
    if published is not None:
        check_hash(published, path)
    else:
        check_archive(path)
    _mark_checked(path)


def _mark_checked(path: Path) -> None:
    try:
        path.with_name(path.name + CHECKED_SUFFIX).write_text(_identity(path))
    except OSError:  # read-only folder: it is checked again next time
        logger.debug("cannot note that %s was checked", path)


def _identity(path: Path) -> str:
    status = path.stat()
    return f"{status.st_size} {status.st_mtime_ns}"
