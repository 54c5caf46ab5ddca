"""What each condition weighs in guidance."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Guidance:
    """None: what the kind of generator takes for it (`generators.masked`, `generators.unmasked`)."""

    overall: float
    picture: float | None = None
    text: float | None = None
    negative: float | None = None
    reference: float | None = None  # of known latents
    rescale: float | None = None  # strength, see flow.guidance

    @property
    def is_apart(self) -> bool:
        """Whether picture, text or negative text have a weight of their own."""
        return not (self.picture is None and self.text is None and self.negative is None)
