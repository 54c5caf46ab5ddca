"""The learning rate over a training."""

from openfoley.training.loop.schedule import warmup_cosine


def test_the_rate_warms_up_to_its_peak_and_falls_to_nothing() -> None:
    factors = [warmup_cosine(step, warmup_steps=10, total_steps=50) for step in range(50)]
    assert factors[0] == 0.1 and factors[9] == max(factors) == 1.0 and factors[49] < 0.01
    assert factors[:10] == sorted(factors[:10]) and factors[10:] == sorted(factors[10:], reverse=True)
    assert abs(factors[30] - 0.5) < 1e-9  # half of the cosine's 40 steps
