"""The published weights that have a name here: which files, where they lie, their licences, and how they are known.

A file is pinned by its publisher's MD5 where one is known. The others are held to every key and shape of the network
that they are for, and to the SHA-256 of the first download. Sizes are 4 bytes per published element.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ForeignPart = Literal["network", "vae", "vocoder", "sync", "clip", "tokenizer"]

MMAUDIO_HUB = "https://huggingface.co/hkchengrex/MMAudio/resolve/main/weights"
MMAUDIO_RELEASE = "https://github.com/hkchengrex/MMAudio/releases/download/v0.1"
BIGVGAN_HUB = "https://huggingface.co/nvidia/bigvgan_v2_44khz_128band_512x/resolve/main"
CLIP_HUB = "https://huggingface.co/apple/DFN5B-CLIP-ViT-H-14-384/resolve/main"
TOKENIZER_HUB = "https://huggingface.co/openai/clip-vit-large-patch14/resolve/main"
NON_COMMERCIAL = "CC-BY-NC 4.0"


@dataclass(frozen=True)
class WeightFile:
    """One file. name: what it is called on disk; variant: what content it must have (hub.recognise)."""

    name: str
    url: str
    part: ForeignPart
    variant: str
    size_bytes: int  # about
    md5: str | None
    licence: str


@dataclass(frozen=True)
class ForeignModel:
    """A published model as a set of files."""

    name: str
    variant: str  # of the network
    sample_rate: int  # Hz
    licence: str
    files: tuple[WeightFile, ...]

    @property
    def size_bytes(self) -> int:
        return sum(file.size_bytes for file in self.files)


def _network(variant: str, md5: str, elements: int) -> WeightFile:
    name = f"mmaudio_{variant.replace('-', '_')}.pth"
    return WeightFile(name, f"{MMAUDIO_HUB}/{name}", "network", variant, 4 * elements, md5, NON_COMMERCIAL)


def _release(name: str, part: ForeignPart, variant: str, md5: str, size_bytes: int, licence: str) -> WeightFile:
    return WeightFile(name, f"{MMAUDIO_RELEASE}/{name}", part, variant, size_bytes, md5, licence)


VAE_16K = _release("v1-16.pth", "vae", "16k", "69f56803f59a549a1a507c93859fd4d7", 686_629_512, NON_COMMERCIAL)
VAE_44K = _release("v1-44.pth", "vae", "44k", "fab020275fa44c6589820ce025191600", 1_221_919_752, NON_COMMERCIAL)
VOCODER_16K = _release(
    "best_netG.pt", "vocoder", "16k", "eeaf372a38a9c31c362120aba2dde292", 448_935_464, "not stated (Make-An-Audio 2)"
)
VOCODER_44K = WeightFile(
    "bigvgan_generator.pt", f"{BIGVGAN_HUB}/bigvgan_generator.pt", "vocoder", "44k", 488_748_580, None, "MIT"
)
SYNC = _release(
    "synchformer_state_dict.pth", "sync", "synchformer", "5b2f5594b0730f70e41e549b7c94390c", 951_000_000, "MIT"
)
CLIP = WeightFile(
    "open_clip_pytorch_model.bin",
    f"{CLIP_HUB}/open_clip_pytorch_model.bin",
    "clip",
    "dfn5b-vit-h14",
    3_946_859_524,
    None,
    "Apple sample code licence",
)
TOKENIZER_FILES = ("tokenizer.json", "merges.txt", "bpe_simple_vocab_16e6.txt.gz")
"""Each holds CLIP's merges; the first is what is fetched."""
TOKENIZER = WeightFile(
    "tokenizer.json", f"{TOKENIZER_HUB}/tokenizer.json", "tokenizer", "clip-bpe", 2_224_000, None, "MIT"
)

NETWORKS = {
    "small-16k": ("af93cde404179f58e3919ac085b8033b", 157_283_644),
    "small-44k": ("babd74c884783d13701ea2820a5f5b6d", 157_409_144),
    "medium-44k": ("5a56b6665e45a1e65ada534defa903d0", 621_805_944),
    "large-44k": ("fed96c325a6785b85ce75ae1aafd2673", 1_030_002_168),
    "large-44k-v2": ("01ad4464f049b2d7efdaa4c1a59b8dfe", 1_030_575_608),
}


def _model(variant: str) -> ForeignModel:
    is_16k = variant.endswith("16k")
    codec = (VAE_16K, VOCODER_16K) if is_16k else (VAE_44K, VOCODER_44K)
    files = (_network(variant, *NETWORKS[variant]), *codec, SYNC, CLIP, TOKENIZER)
    return ForeignModel(f"mmaudio-{variant}", variant, 16000 if is_16k else 44100, NON_COMMERCIAL, files)


FOREIGN_MODELS = {model.name: model for model in map(_model, NETWORKS)}
