"""How a sampler walks, as records. Nothing heavy is imported here: requests hold them."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Solver:
    """time_exponent: step i of N starts at (i / N) ** time_exponent. multistep: a step also uses the one before it.
    receives_step_size: the model receives the step's size (`shortcut.trained_step`), else 0."""

    time_exponent: float
    multistep: bool
    receives_step_size: bool


@dataclass(frozen=True)
class Replacement:
    """rounds: how often each step is repeated. pull: strength of the pull, 1 as in the equation, 0 none."""

    rounds: int
    pull: float


SHORTCUT = Solver(time_exponent=1.0, multistep=False, receives_step_size=True)
MULTISTEP = Solver(time_exponent=1.75, multistep=True, receives_step_size=False)
PLAIN = Replacement(rounds=0, pull=0.0)
DEFAULT_REPLACEMENT = Replacement(rounds=1, pull=1.0)
