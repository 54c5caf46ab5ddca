"""Muon makes updates orthogonal, spares what is no hidden matrix, and comes back from a checkpoint as it was."""

from copy import deepcopy

import torch
from torch import nn

from openfoley.training.loop.optimizer import Both, FlatMuon, make_optimizer

ADAM_SIZE = 0.2  # root mean square of AdamW's updates (arXiv 2502.16982, section 2.2)


def test_an_update_evens_out_the_singular_values_of_the_gradient() -> None:
    rows, columns = 24, 80
    left, _, right = torch.linalg.svd(torch.randn(rows, columns, generator=torch.Generator().manual_seed(0)), False)
    gradient = left @ torch.diag(torch.logspace(0, -2, rows)) @ right
    for given, even in ((gradient, left @ right), (gradient.T, (left @ right).T)):
        weight = nn.Parameter(torch.zeros(given.shape))
        weight.grad = given.contiguous()
        FlatMuon([weight], 1.0, weight_decay=0.0).step()
        made = -weight.detach() / (ADAM_SIZE * columns**0.5)
        values = torch.linalg.svdvals(made)
        assert values.max() < 1.3 and values.min() > 0.5  # they were 1 to 0.01
        assert nn.functional.cosine_similarity(made.flatten(), even.flatten(), 0) > 0.95


def test_a_convolution_moves_as_its_matrix_does() -> None:
    generator = torch.Generator().manual_seed(1)
    values, gradient = torch.randn(6, 4, 3, generator=generator), torch.randn(6, 4, 3, generator=generator)
    convolution, matrix = nn.Parameter(values.clone()), nn.Parameter(values.flatten(1).clone())
    convolution.grad, matrix.grad = gradient, gradient.flatten(1)
    for weight in (convolution, matrix):
        optimizer = FlatMuon([weight], 0.1, weight_decay=0.1)
        optimizer.step()
        optimizer.zero_grad()
        assert weight.grad is None
    assert torch.equal(convolution.flatten(1), matrix) and not torch.equal(convolution, values)


def test_the_gradient_is_clipped_and_its_norm_returned() -> None:
    weight = nn.Parameter(torch.zeros(4))
    both = Both(torch.optim.SGD([weight], lr=1.0))
    norm = both.descend((3.0 * weight).sum(), [weight], factor=0.5, limit=1.0)
    assert norm.item() == 6.0
    torch.testing.assert_close(weight.detach(), torch.full((4,), -0.25))  # half the rate of a gradient of norm 1


def test_update_of_a_convolution_has_adams_size() -> None:
    torch.manual_seed(0)
    layer = nn.Conv1d(16, 32, 5)
    before = layer.weight.detach().clone()
    optimizer = make_optimizer("muon", [layer], 0.01, betas=(0.9, 0.99), weight_decay=0.0)
    optimizer.descend(layer(torch.randn(4, 16, 20)).square().sum(), layer.parameters(), factor=1.0, limit=1e9)
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


def test_a_parameter_without_elements_is_trained_with_adam() -> None:
    """A variant without [SUP] tokens has a table of none."""
    model = nn.Linear(8, 8, bias=False)
    empty = nn.ParameterList([torch.zeros(0, 8)])
    muon, adam = make_optimizer("muon", [model, empty], 0.01, betas=(0.9, 0.99), weight_decay=0.0).optimizers
    assert [w.shape for w in muon.param_groups[0]["params"]] == [(8, 8)]
    assert [w.shape for w in adam.param_groups[0]["params"]] == [(0, 8)]


def test_state_comes_back() -> None:
    def train(model: nn.Module, optimizer: Both, steps: int, seed: int) -> None:
        data = torch.Generator().manual_seed(seed)
        for _ in range(steps):
            loss = model(torch.randn(4, 8, generator=data)).square().sum()
            optimizer.descend(loss, model.parameters(), factor=1.0, limit=1.0)

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
