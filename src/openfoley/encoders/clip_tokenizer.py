"""CLIP's tokenizer (arXiv 2103.00020): byte-pair encoding of lower-case words, 49,408 pieces, without open_clip.

Everything follows from the list of merges, which is published with every CLIP: `merges.txt` or `tokenizer.json` of a
Hub repository, `bpe_simple_vocab_16e6.txt.gz` of the first release. It is fetched together with the weights and kept
in the model folder as tokenizer.json.

The pieces in order: 256 bytes, the same at the end of a word, one for each merge, start and end of text.
"""

import gzip
import html
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from openfoley.errors import UsageError, WeightsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

MERGES = 48894  # 49152 - 256 - 2: as many of the published list as CLIP uses
END_OF_WORD = "</w>"
START, END = "<|startoftext|>", "<|endoftext|>"
PAD_ID = 0  # open_clip fills rows with zeros, although piece 0 is "!"
WORDS = r"'s|'t|'re|'ve|'m|'ll|'d|[\p{L}]+|[\p{N}]|[^\s\p{L}\p{N}]+"
STRAIGHT_QUOTES = str.maketrans({"\u2018": "'", "\u2019": "'", "\u201c": '"', "\u201d": '"'})


def read_merges(path: Path) -> list[str]:
    """The merges ("t h", one for each) of merges.txt, tokenizer.json, or the first release's text file, gzipped or not.

    WeightsError for a file that holds something else.
    """
    try:
        raw = path.read_bytes()
        text = (gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw).decode("utf-8")
        if text.lstrip().startswith("{"):
            given = json.loads(text)["model"]["merges"]
            lines = [merge if isinstance(merge, str) else " ".join(merge) for merge in given]
        else:
            lines = text.split("\n")[1:]  # the first line names the version
    except (OSError, EOFError, ValueError, KeyError, TypeError) as error:
        raise WeightsError(f"{str(path)!r} holds no CLIP merges: {error!r}") from None
    merges = [line for line in lines if line][:MERGES]
    if len(merges) != MERGES or any(line.count(" ") != 1 for line in merges):
        raise WeightsError(f"{str(path)!r} holds no CLIP merges: expected {MERGES} lines of two pieces")
    return merges


def clip_tokenizer(merges: Sequence[str]) -> "Tokenizer":
    """The tokenizer as one object; `.to_str()` is the model folder's tokenizer.json."""
    from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers

    alphabet = byte_letters()
    pairs = [(first, second) for first, _, second in (merge.partition(" ") for merge in merges)]
    pieces = [*alphabet, *(letter + END_OF_WORD for letter in alphabet), *("".join(pair) for pair in pairs), START, END]
    tokenizer = Tokenizer(
        models.BPE(
            vocab={piece: number for number, piece in enumerate(pieces)},
            merges=pairs,
            end_of_word_suffix=END_OF_WORD,
            continuing_subword_prefix="",
        )
    )
    tokenizer.normalizer = normalizers.Sequence(
        [normalizers.NFC(), normalizers.Replace(Regex(r"\s+"), " "), normalizers.Lowercase()]
    )
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(WORDS), behavior="removed", invert=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def byte_letters() -> list[str]:
    """One printable letter for each byte, in CLIP's order: printable bytes stand for themselves and come first, the
    others are the letters from U+0100 on."""
    printable = [*range(ord("!"), ord("~") + 1), *range(ord("¡"), ord("¬") + 1), *range(ord("®"), ord("ÿ") + 1)]
    others = [byte for byte in range(256) if byte not in printable]
    return [chr(byte) for byte in printable] + [chr(256 + number) for number in range(len(others))]


def token_rows(tokenizer: "Tokenizer", texts: list[str], length: int) -> Int[Tensor, "texts {length}"]:
    """int64 [texts, length]: start, pieces, end, zeros. UsageError for a text of more than length - 2 pieces."""
    rows = torch.full((len(texts), length), PAD_ID)
    start, end = tokenizer.token_to_id(START), tokenizer.token_to_id(END)
    for row, text in zip(rows, texts, strict=True):
        pieces = tokenizer.encode(cleaned(text), add_special_tokens=False).ids
        if len(pieces) > length - 2:
            raise UsageError(
                f"the prompt is {len(pieces)} tokens long, this model reads at most {length - 2}; "
                f"shorten it: {text[:40]!r}..."
            )
        row[: len(pieces) + 2] = torch.tensor([start, *pieces, end])
    return rows


def cleaned(text: str) -> str:
    """HTML entities resolved (twice, as CLIP does) and quotes straightened; mis-decoded text is not repaired."""
    return html.unescape(html.unescape(text)).translate(STRAIGHT_QUOTES).strip()
