"""All options of a generation: one frozen, nested record, checked once, without heavy imports."""

from openfoley.request.cues import WEIGHT, Cue, Cut
from openfoley.request.declared import Seconds, option
from openfoley.request.output import Output
from openfoley.request.prompting import Prompting
from openfoley.request.request import TAKES_RANGE, Request, asked_words, check_seeds, check_takes, options_of
from openfoley.request.sampling import Defaults, Sampling
from openfoley.request.timeline import Timeline, check_span, windows_asked

__all__ = [
    "TAKES_RANGE",
    "WEIGHT",
    "Cue",
    "Cut",
    "Defaults",
    "Output",
    "Prompting",
    "Request",
    "Sampling",
    "Seconds",
    "Timeline",
    "asked_words",
    "check_seeds",
    "check_span",
    "check_takes",
    "option",
    "options_of",
    "windows_asked",
]
