"""How an option is declared: one field of a section, with its check and its help text."""

from __future__ import annotations

from dataclasses import field
from fractions import Fraction
from typing import Any

from openfoley.checks import Check

Seconds = float | Fraction


def option(check: Check, help: str = "", metavar: str = "", default: Any = None, usual: str = "") -> Any:
    """A field of a section. help: its help text on the command line; empty if it has no command-line option. usual:
    the default in the help text."""
    return field(default=default, metadata={"check": check, "help": help, "metavar": metavar, "usual": usual})
