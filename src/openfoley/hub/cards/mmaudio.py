"""MMAudio (arXiv 2412.15322): five published networks, and the codec, encoders and tokenizer that they share."""

from openfoley.hub.cards.base import Card, ForeignPart, WeightFile

MMAUDIO_HUB = "https://huggingface.co/hkchengrex/MMAudio/resolve/main/weights"
MMAUDIO_RELEASE = "https://github.com/hkchengrex/MMAudio/releases/download/v0.1"
BIGVGAN_HUB = "https://huggingface.co/nvidia/bigvgan_v2_44khz_128band_512x/resolve/main"
CLIP_HUB = "https://huggingface.co/apple/DFN5B-CLIP-ViT-H-14-384/resolve/main"
TOKENIZER_HUB = "https://huggingface.co/openai/clip-vit-large-patch14/resolve/main"
NON_COMMERCIAL = "CC-BY-NC 4.0"


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
"""Each holds CLIP's merges; the first one is downloaded."""
TOKENIZER = WeightFile(
    "tokenizer.json", f"{TOKENIZER_HUB}/tokenizer.json", "tokenizer", "clip-bpe", 2_224_000, None, "MIT"
)

WORKING_16K, WORKING_44K = 2_100_000_000, 2_300_000_000
"""The measured peaks of small-16k and large-44k-v2 for 8 s without their weights (docs/results/mmaudio.md)."""

NETWORKS = {  # MD5, elements of the weights, elements of the cached kernels
    "small-16k": ("af93cde404179f58e3919ac085b8033b", 157_283_644, 193_536_000),
    "small-44k": ("babd74c884783d13701ea2820a5f5b6d", 157_409_144, 193_536_000),
    "medium-44k": ("5a56b6665e45a1e65ada534defa903d0", 621_805_944, 774_144_000),
    "large-44k": ("fed96c325a6785b85ce75ae1aafd2673", 1_030_002_168, 1_327_398_912),
    "large-44k-v2": ("01ad4464f049b2d7efdaa4c1a59b8dfe", 1_030_575_608, 1_327_398_912),
}


def _card(variant: str) -> Card:
    is_16k = variant.endswith("16k")
    codec = (VAE_16K, VOCODER_16K) if is_16k else (VAE_44K, VOCODER_44K)
    md5, elements, kernels = NETWORKS[variant]
    files = (_network(variant, md5, elements), *codec, SYNC, CLIP, TOKENIZER)
    return Card(
        name=f"mmaudio-{variant}",
        family="mmaudio",
        variant=variant,
        task="video and/or text to sound",
        scope="real footage: trained on VGGSound and captioned sound; text is English, at most 75 pieces",
        sample_rate=16000 if is_16k else 44100,
        channels=1,
        parameters=elements,
        weights_bytes=sum(file.size_bytes for file in files if file.part != "tokenizer"),
        working_bytes=WORKING_16K if is_16k else WORKING_44K,
        trained_s=8.0,
        licence=NON_COMMERCIAL,
        kernel_bytes=4 * kernels,
        files=files,
    )


CARDS = tuple(map(_card, NETWORKS))
