"""Conditions from flat tensors."""

import torch
from torch import Tensor

from openfoley.types import TEXT, Conditions, FeatureSequence


def sequence(values: Tensor, time_s: Tensor, present: Tensor | None = None) -> FeatureSequence:
    """Present everywhere unless given."""
    shown = torch.ones(values.shape[:2], dtype=torch.bool) if present is None else present
    return FeatureSequence(values, time_s.float().expand(values.shape[:2]), shown)


def tokens(values: Tensor, present: Tensor | bool = True) -> FeatureSequence:
    """A text [batch, tokens, dim] (or [batch, dim], one token); present: all or nothing of a row [batch]."""
    values = values if values.dim() == 3 else values[:, None]
    rows = torch.as_tensor(present).reshape(-1, 1).expand(values.shape[:2])
    return FeatureSequence(values, torch.zeros(values.shape[:2]), rows)


def conditions(semantic: FeatureSequence, sync: FeatureSequence, text: FeatureSequence) -> Conditions:
    return Conditions({"semantic": semantic, "sync": sync, TEXT: text})
