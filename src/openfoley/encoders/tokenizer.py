"""A small tokenizer for prompts: byte-level BPE, so that no prompt can be unknown.

Its merges come from the Gym's captions and from a base vocabulary of words for sounds, materials, actions and places;
any other word falls apart into smaller pieces, at worst into its bytes. Saved as one tokenizer.json.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from jaxtyping import Int
from torch import Tensor

from openfoley.errors import WeightsError

if TYPE_CHECKING:
    from tokenizers import Tokenizer

PAD, PAD_ID = "<pad>", 0
BASE_WORDS_REPEATED = 4  # how often the base vocabulary is shown; captions count as often as they occur

BASE_WORDS = """
a an the of on in at to and or with without against into onto over under across down up from by while then as is are
no not very one two three several many few again slowly quickly softly gently loudly quietly suddenly heavy light
small large big tiny huge thick thin hard soft hollow solid short long high low bright dull sharp deep dry wet distant
close near far loud quiet silent silence still sound sounds noise hear close-up recording foley clip video scene shot
ambience background wood wooden oak timber plank metal metallic steel iron tin copper brass bronze gold aluminium
glass crystal plastic rubber stone rock granite marble brick concrete ceramic porcelain china clay terracotta
cardboard paper cloth fabric leather wool silk water ice snow mud sand gravel dirt earth grass leaves bone food wax
foam ball marble box crate bottle cup mug plate bowl pan pot lid jar can barrel bucket bell gong drum stick rod bar
pipe chain coin key knife fork spoon hammer axe saw nail tool machine engine motor fan wheel cart car truck train
plane boat bike door gate window drawer floor wall table chair desk stairs step ramp road street tray bag rope spring
pendulum swing shoe boot foot feet hand finger dog cat bird horse cow insect frog fish man woman child people crowd
person bounce bounces bouncing strike strikes striking hit hits hitting knock knocks knocking collide collides
colliding crash crashes crashing bump bumps roll rolls rolling slide slides sliding scrape scrapes scraping scratch
scratching drag drags dragging rub rubs rubbing brush step steps stepping footstep footsteps walk walks walking run
runs running jump jumps jumping land lands landing fall falls falling drop drops dropping drip drips dripping pour
pours pouring splash splashes splashing flow flows flowing bubble bubbling shake shakes shaking rattle rattles
rattling jingle clink clinks clatter clang bang bangs thud thump tap taps tapping click clicks clicking tick ticks
ticking snap crack cracks cracking break breaks breaking shatter shatters crush crumple tear tears tearing cut chop
chops hammering drill drilling sawing rotate rotates rotating spin spins spinning turn turns turning swing swings
swinging squeak squeaks creak creaks creaking open opens opening close closes closing slam slams ring rings ringing
chime hum hums humming buzz buzzing hiss hissing whoosh whistle whistling blow blowing burn burning crackle crackling
explode explosion thunder rain raining wind windy storm sea wave waves river stream fire bark barks barking meow chirp
chirping sing singing speak speech talk talking laugh laughing cry shout scream whisper breath breathing cough
applause clap clapping music piano guitar violin flute horn siren alarm phone typing keyboard room hall kitchen
bathroom garage church forest field beach city street office factory outside inside indoors outdoors echo reverb
muffled crisp rough smooth rhythmic steady random fast slow
"""


def train_tokenizer(captions: Iterable[str], vocabulary: int) -> "Tokenizer":
    """A tokenizer of at most `vocabulary` pieces (at least 257: padding and bytes)."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, trainers

    tokenizer = Tokenizer(models.BPE())
    tokenizer.normalizer = normalizers.Sequence([normalizers.NFKC(), normalizers.Lowercase(), normalizers.Strip()])
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[PAD],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([*captions, *BASE_WORDS.split() * BASE_WORDS_REPEATED], trainer)
    return tokenizer


def load_tokenizer(source: Path | str, vocabulary: int) -> "Tokenizer":
    """From a tokenizer.json (a path) or from its JSON text. WeightsError for more pieces than the text encoder's
    `vocabulary` has."""
    from tokenizers import Tokenizer

    is_text = isinstance(source, str) and source.lstrip().startswith("{")
    tokenizer = Tokenizer.from_str(str(source)) if is_text else Tokenizer.from_file(str(source))
    if (pieces := tokenizer.get_vocab_size()) > vocabulary:
        raise WeightsError(f"the tokenizer has {pieces} pieces, the text encoder's vocabulary {vocabulary}")
    return tokenizer


def token_ids(tokenizer: "Tokenizer", texts: list[str], length: int) -> Int[Tensor, "texts {length}"]:
    """int64 [texts, length], padded with PAD_ID to the full length as SigLIP's (it reads the last position)."""
    ids = torch.full((len(texts), length), PAD_ID)
    for row, encoding in zip(ids, tokenizer.encode_batch(texts, add_special_tokens=False), strict=True):
        pieces = encoding.ids[:length]
        row[: len(pieces)] = torch.tensor(pieces, dtype=torch.int64)
    return ids
