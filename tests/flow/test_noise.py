import pytest
import torch

from openfoley.flow.noise import BLOCK, NoiseSource, spread_seed


def test_noise_of_a_row_depends_on_its_seed_alone() -> None:
    together = NoiseSource([5, 6, 7], 9).draw(4)
    assert torch.equal(NoiseSource([6], 9).draw(4)[0], together[1])
    assert not torch.equal(together[0], together[1])


@pytest.mark.parametrize("first", [-BLOCK - 3, -1, 0, 1, BLOCK - 1, BLOCK, 5 * BLOCK + 7])
@pytest.mark.parametrize("latents", [1, BLOCK, 2 * BLOCK + 5])
def test_a_latent_has_the_same_noise_in_every_window(first: int, latents: int) -> None:
    begin = -3 * BLOCK
    whole = NoiseSource([3], 12 * BLOCK, begin).draw(2)
    part = NoiseSource([3], latents, first).draw(2)
    assert torch.equal(part, whole[:, first - begin : first - begin + latents])


def test_noise_is_white_and_no_block_repeats() -> None:
    noise = NoiseSource([1], 40 * BLOCK, -20 * BLOCK).draw(8)[0]
    assert abs(float(noise.mean())) < 0.03 and abs(float(noise.std()) - 1) < 0.03
    blocks = noise.unflatten(0, (-1, BLOCK)).flatten(1)
    likeness = torch.corrcoef(blocks) - torch.eye(len(blocks))
    assert float(likeness.abs().max()) < 0.25  # 1 / sqrt(512) is one standard deviation


def test_spread_seeds_do_not_meet() -> None:
    seeds = {spread_seed(seed, number) for seed in range(50) for number in range(-50, 50)}
    assert len(seeds) == 5000 and all(0 <= seed < 2**63 for seed in seeds)
