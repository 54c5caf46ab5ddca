"""The stages' objectives against theory, and that captions are dropped whatever the batch."""

from dataclasses import replace

import pytest
import torch

import tiny_pairs
from openfoley.flow.ddim import VIDEO, Prediction, data_from_noise
from openfoley.generators.joint.config import KINDS, Kind
from openfoley.generators.joint.model import JointGenerator, Pair, PairText, PairTimes
from openfoley.training.joint.objective import all_powers, base_loss, joint_losses, kept_captions, predicted_data


def seeded(number: int = 1) -> torch.Generator:
    return torch.Generator().manual_seed(number)


@pytest.mark.parametrize("batch", [1, 16])
def test_a_tenth_of_the_captions_is_dropped(batch: int) -> None:
    kept = [one for number in range(2000 // batch) for one in kept_captions(["x"] * batch, 0.1, seeded(number))]
    assert 0.08 < kept.count("") / len(kept) < 0.12


@pytest.mark.parametrize("prediction", ["noise", "velocity"])
def test_the_best_predictor_of_gaussian_data_reaches_the_closed_form(prediction: Prediction) -> None:
    """E[n | x] = sqrt(1 - a) x for data of variance 1: the loss is the mean of a over all timesteps; of velocities,
    whose mean given x is 0, it is 1."""
    powers = VIDEO.signal_power()

    def best(x: torch.Tensor, t: torch.Tensor) -> torch.Tensor:
        return (1 - powers[t]).sqrt()[:, None] * x

    loss = base_loss(best, torch.randn(20_000, 4), powers, seeded(), prediction)
    assert float(loss) == pytest.approx(float(powers.mean()) if prediction == "noise" else 1.0, rel=0.03)


def test_noise_known_exactly_gives_the_data() -> None:
    powers, x0, noise = VIDEO.signal_power(), torch.randn(3, 4), torch.randn(3, 4)
    a = powers[[10, 400, 990]][:, None]
    torch.testing.assert_close(
        data_from_noise(a.sqrt() * x0 + (1 - a).sqrt() * noise, noise, a), x0, atol=1e-3, rtol=1e-3
    )


def test_a_model_of_velocity_has_the_noise_of_its_output() -> None:
    config = tiny_pairs.config_of()
    assert config.prediction == "velocity"
    model = JointGenerator(config).eval()
    other = JointGenerator(replace(config, prediction="noise")).eval()
    other.load_state_dict(model.state_dict())
    x, t, text = torch.randn(2, 16, 50, 16), torch.tensor([10, 900]), torch.randn(2, 16)
    a = config.audio_schedule.signal_power()[t].view(2, 1, 1, 1)
    with torch.no_grad():
        noise, velocity = (each.audio_noise(x, t, text, None) for each in (model, other))
    wanted = a.sqrt() * x - (1 - a).sqrt() * velocity
    torch.testing.assert_close(data_from_noise(x, noise, a), wanted, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_untrained_connectors_of_any_kind_leave_both_unets_as_they_are_to_the_bit(kind: Kind) -> None:
    model = JointGenerator(tiny_pairs.config_of(kind)).eval()
    x = Pair(torch.randn(2, 48, 16, 8, 8), torch.randn(2, 16, 50, 16))
    times = PairTimes(torch.tensor([20, 900]), torch.tensor([30, 800]))
    text = PairText(torch.randn(2, 6, 16), torch.randn(2, 16))
    with torch.no_grad():
        conditions = model.conditions(x, None, times)
        found, bare = (model.noise(x, times, text, given) for given in (conditions, None))
        for name, value in model.connectors.named_parameters():
            if ".leave." in name and name.startswith("into_"):
                torch.nn.init.normal_(value, std=0.2)
        other = model.noise(x, times, text, conditions)
    assert torch.equal(found.video, bare.video) and torch.equal(found.audio, bare.audio)
    assert not torch.equal(other.video, bare.video) and not torch.equal(other.audio, bare.audio)


@pytest.mark.parametrize("kind", KINDS)
def test_only_connectors_learn_from_pairs_and_all_of_them_do(kind: Kind) -> None:
    model = JointGenerator(tiny_pairs.config_of(kind)).requires_grad_(False)
    for value in model.connectors.parameters():
        torch.nn.init.normal_(value, std=0.1)
    model.connectors.requires_grad_(True)
    x0 = Pair(torch.randn(2, 48, 16, 8, 8), torch.randn(2, 16, 50, 16))
    text = PairText(torch.randn(2, 6, 16), torch.randn(2, 16))
    losses = joint_losses(model, text, x0, all_powers(model.config), 0.5, seeded())
    torch.testing.assert_close(losses["loss"], losses["video"] + losses["audio"])
    losses["loss"].backward()
    dead = [name for name, p in model.connectors.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []
    assert all(p.grad is None for unet in (model.video, model.audio) for p in unet.parameters())


def test_data_are_predicted_where_they_are_wanted_and_zero_elsewhere() -> None:
    model = JointGenerator(tiny_pairs.config_of()).eval()
    for value in model.connectors.parameters():
        torch.nn.init.normal_(value, std=0.1)
    x = Pair(torch.randn(3, 48, 16, 8, 8), torch.randn(3, 16, 50, 16))
    times = PairTimes(torch.tensor([20, 400, 900]), torch.tensor([30, 500, 800]))
    text, powers = PairText(torch.randn(3, 6, 16), torch.randn(3, 16)), all_powers(model.config)

    def predicted(video: list[bool], audio: list[bool]) -> Pair:
        return predicted_data(model, text, x, times, powers, Pair(torch.tensor(video), torch.tensor(audio)))

    everything, some = predicted([True] * 3, [True] * 3), predicted([True, False, True], [False] * 3)
    assert everything.video.std() > 0.1 and everything.audio.std() > 0.1
    torch.testing.assert_close(some.video[[0, 2]], everything.video[[0, 2]], atol=1e-4, rtol=1e-4)
    assert not some.video[1].any() and not some.audio.any()
