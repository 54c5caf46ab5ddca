"""SelVA (arXiv 2512.02650): a video encoder that text selects from, and MMAudio's networks fine-tuned for it.

Codecs and CLIP are MMAudio's, of CLIP the text alone; FLAN-T5 reads what is selected.
"""

from dataclasses import replace

from openfoley.hub.cards.base import Card, WeightFile
from openfoley.hub.cards.mmaudio import (
    CLIP,
    NETWORKS,
    TOKENIZER,
    VAE_16K,
    VAE_44K,
    VOCODER_16K,
    VOCODER_44K,
    WORKING_16K,
    WORKING_44K,
)

SELVA_HUB = "https://huggingface.co/jnwnlee/SelVA/resolve/main/weights"
T5_HUB = "https://huggingface.co/google/flan-t5-base/resolve/main"
NO_LICENCE = "no licence is published for SelVA's own files"
TRUNK_WINDOW_BYTES = 3 * 120_422_400
"""The trunk's tokens of 8 s, and their copies while they are cut into windows (docs/log.md, E11: 3.8 GB in all)."""

SELECTIVE = WeightFile(
    "video_enc_sup_5.pth",
    f"{SELVA_HUB}/video_enc_sup_5.pth",
    "selective",
    "selva-sup-5",
    539_354_624,
    "ff09a6dc36148536ee4db97eba081d05",
    NO_LICENCE,
)
WORDS = WeightFile(
    "flan_t5_base.safetensors",
    f"{T5_HUB}/model.safetensors",
    "words",
    "t5-base",
    990_311_424,
    None,
    "Apache-2.0",
    only_by_name=True,  # T5 1.1 has the same keys and shapes
    loaded_bytes=4 * 109_628_544,
)
WORDS_FILES = (WORDS.name, "flan-t5-base/model.safetensors", "flan-t5-base/pytorch_model.bin")
WORDS_TOKENIZER = WeightFile(
    "flan_t5_base_tokenizer.json",
    f"{T5_HUB}/tokenizer.json",
    "words-tokenizer",
    "flan-t5",
    2_424_000,
    None,
    "Apache-2.0",
)
WORDS_TOKENIZER_FILES = (WORDS_TOKENIZER.name, "flan-t5-base/tokenizer.json")
CLIP_TEXT = replace(CLIP, loaded_bytes=4 * 352_984_064)

MD5 = {  # of the networks
    "small-16k": "1cb0f0deec52de37f67b1fd9965337d0",
    "small-44k": "d4df8569624093ac80af99b8b7434525",
    "medium-44k": "e9157e62b4863ad306e89e8f3a587748",
    "large-44k": "ab3db08b124d3aaa53eb7a1f52f1fb3f",
}


def _card(variant: str) -> Card:
    is_16k = variant.endswith("16k")
    _, elements, kernels = NETWORKS[variant]
    name = f"generator_{variant.replace('-', '_')}_sup_5.pth"
    network = WeightFile(
        name, f"{SELVA_HUB}/{name}", "network", variant, 4 * elements, MD5[variant], NO_LICENCE, only_by_name=True
    )
    codec = (VAE_16K, VOCODER_16K) if is_16k else (VAE_44K, VOCODER_44K)
    files = (network, *codec, SELECTIVE, CLIP_TEXT, TOKENIZER, WORDS, WORDS_TOKENIZER)
    loaded = [file.loaded_bytes or file.size_bytes for file in files if not file.part.endswith("tokenizer")]
    return Card(
        name=f"selva-{variant}",
        family="mmaudio",
        variant=variant,
        task="video and the name of a thing in it to its sound",
        scope="real footage: trained on VGGSound; English labels such as dog barking; made from MMAudio (CC-BY-NC 4.0)",
        sample_rate=16000 if is_16k else 44100,
        channels=1,
        parameters=elements,
        weights_bytes=sum(loaded),
        working_bytes=(WORKING_16K if is_16k else WORKING_44K) + TRUNK_WINDOW_BYTES,
        trained_s=8.0,
        licence=NO_LICENCE,
        kernel_bytes=4 * kernels,
        files=files,
        selects=True,
    )


CARDS = tuple(map(_card, MD5))
