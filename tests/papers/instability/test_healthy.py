"""The list of healthy runs: what it promises about halves, rates and what varies."""

from collections import Counter

from clinometer.papers.instability.healthy import HEALTHY, HELD_OUT, LARGEST_STABLE, OPTIMIZERS, SHARES
from clinometer.training.from_config import calls


def test_every_network_meets_every_optimizer_at_every_rate_in_both_halves() -> None:
    """By counting: no two runs are one, each pair has four rates, and each half has two of them."""
    assert len({config.key for config in HEALTHY}) == len(HEALTHY) >= 130
    pairs = Counter(
        (
            c.model,
            c["norm"] if "norm" in c.settings else c.settings.get("cell"),
            c.optimizer,
            c.settings.get("momentum"),
            c.seed >= HELD_OUT,
        )
        for c in HEALTHY
    )
    assert len(pairs) == 2 * len(LARGEST_STABLE) * len(OPTIMIZERS)
    assert set(pairs.values()) == {len(SHARES) // 2}


def test_each_half_has_all_that_fools_alarms() -> None:
    """By counting: each value of each factor is in at least a tenth of either half."""
    for held_out in (False, True):
        half = [config for config in HEALTHY if (config.seed >= HELD_OUT) == held_out]
        for factor in ("warm_up", "decay", "weight_decay", "batch_size"):
            shares = Counter(config[factor] for config in half)
            assert len(shares) >= 2
            assert min(shares.values()) >= len(half) / 10, (factor, shares)
        noisy = sum(config.settings.get("label_noise", 0) > 0 for config in half)
        assert len(half) / 4 < noisy < 3 * len(half) / 4


def test_all_settings_are_taken() -> None:
    """The machinery that builds runs refuses a setting that no function has a parameter for."""
    for config in HEALTHY:
        assert set(calls(config)) == {"model", "data", "loss", "optimizer", "scheduler"}
