"""Muon makes updates orthogonal, spares what is no hidden matrix, and comes back from a checkpoint as it was."""

from copy import deepcopy

import torch
from torch import nn

from openfoley.training.loop.muon import ADAM_SIZE, Both, make_optimizer, orthogonal


def test_orthogonal_evens_out_the_singular_values() -> None:
    rows, columns = 24, 80
    left, _, right = torch.linalg.svd(torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)), False)
    matrix = left @ torch.diag(torch.logspace(0, -2, rows)) @ right
    for given in (matrix, matrix.T):
        made = orthogonal(given)
        assert made.shape == given.shape
        values = torch.linalg.svdvals(made)
        assert values.max() < 1.3 and values.min() > 0.5  # they were 1 to 0.01
        assert (
            torch.nn.functional.cosine_similarity(
                made.flatten(),
                (left @ right).reshape_as(matrix).flatten() if given is matrix else (left @ right).T.flatten(),
                0,
            )
            > 0.95
        )


def test_matrices_of_one_shape_are_made_orthogonal_together() -> None:
    matrices = torch.randn(3, 8, 20, generator=torch.Generator().manual_seed(1))
    alone = torch.stack([orthogonal(matrix) for matrix in matrices])
    torch.testing.assert_close(orthogonal(matrices), alone, atol=0.02, rtol=0)


def test_update_of_a_convolution_has_adams_size() -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(16, 32, 5)
    before = layer.weight.detach().clone()
    optimizer = make_optimizer("muon", [layer], 0.01, betas=(0.9, 0.99), weight_decay=0.0)
    layer(torch.randn(4, 16, 20)).square().sum().backward()
    optimizer.step()
    change = (layer.weight - before).square().mean().sqrt() / 0.01
    # orthogonal rows of 80 numbers: 32 values of size 1 spread over 32 * 80 numbers, times 0.2 sqrt(80)
    assert 0.7 * ADAM_SIZE < change < 1.2 * ADAM_SIZE


def test_muon_takes_hidden_matrices_only() -> None:
    table = nn.Embedding(10, 8)
    model = nn.Sequential(table, nn.Linear(8, 8), nn.LayerNorm(8), nn.Linear(8, 1))
    both = make_optimizer("muon", [model], 0.01, betas=(0.9, 0.99), weight_decay=0.0, adam_only=[table.weight])
    muon, adam = both.optimizers
    assert [w.shape for w in muon.param_groups[0]["params"]] == [(8, 8)]
    assert len(adam.param_groups[0]["params"]) == len(list(model.parameters())) - 1
    assert len(make_optimizer("adamw", [model], 0.01, betas=(0.9, 0.99), weight_decay=0.0).optimizers) == 1


def test_state_comes_back() -> None:
    def train(model: nn.Module, optimizer: Both, steps: int, seed: int) -> None:
        data = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            optimizer.zero_grad()
            model(torch.randn(4, 8, generator=data)).square().sum().backward()
            optimizer.step()

    def build() -> tuple[nn.Module, Both]:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Linear(8, 8), nn.Linear(8, 4))
        return model, make_optimizer("muon", [model], 0.01, betas=(0.9, 0.99), weight_decay=0.1)

    model, optimizer = build()
    train(model, optimizer, 3, seed=1)
    saved = deepcopy((model.state_dict(), optimizer.state_dict()))
    train(model, optimizer, 2, seed=2)
    again, other = build()
    again.load_state_dict(saved[0])
    other.load_state_dict(saved[1])
    train(again, other, 2, seed=2)
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
