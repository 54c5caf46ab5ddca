"""SelVA (arXiv 2512.02650): a video encoder that text selects from, and MMAudio's networks fine-tuned for it.

Codecs and CLIP are MMAudio's, of CLIP the text alone; FLAN-T5 reads what is selected.
"""

from dataclasses import replace

from openfoley.hub.cards.base import Card, WeightFile
from openfoley.hub.cards.mmaudio import CARDS as MMAUDIO
from openfoley.hub.cards.mmaudio import CLIP, TOKENIZER

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


def _card(base: Card) -> Card:
    """Of the card of the same network of MMAudio: its codec, CLIP's text alone, and what selects."""
    md5, name = MD5[base.variant], f"generator_{base.variant.replace('-', '_')}_sup_5.pth"
    network = replace(
        base.files[0], name=name, url=f"{SELVA_HUB}/{name}", md5=md5, licence=NO_LICENCE, only_by_name=True
    )
    codec = [file for file in base.files if file.part in ("vae", "vocoder")]
    files = (network, *codec, SELECTIVE, CLIP_TEXT, TOKENIZER, WORDS, WORDS_TOKENIZER)
    return replace(
        base,
        name=f"selva-{base.variant}",
        task="video and the name of a thing in it to its sound",
        scope="real footage: trained on VGGSound; English labels such as dog barking; made from MMAudio (CC-BY-NC 4.0)",
        weights_bytes=sum(file.used_bytes for file in files if not file.part.endswith("tokenizer")),
        working_bytes=base.working_bytes + TRUNK_WINDOW_BYTES,
        licence=NO_LICENCE,
        files=files,
    )


CARDS = tuple(_card(base) for base in MMAUDIO if base.variant in MD5)
