"""The study: which runs it plans, what its claims need, and that its smoke scale is made by one command."""

from clinometer.papers import load_study
from clinometer.papers.subramanian2019.configs import ARMS, arm_of
from clinometer.studies.plan import plan

STUDY = load_study("subramanian2019")


def test_every_scale_plans_all_arms_with_seeds_that_confirm() -> None:
    """Classifiers and GANs with each of the six norms, and what times steps; no seed is one of pilots."""
    for scale in STUDY.scales:
        planned = plan(STUDY, scale).configs
        for kind in ("loop", "gan.trainer"):
            assert {arm_of(each) for each in planned if f"{kind}:" in each.trainer} == set(ARMS)
        assert any("timing" in each.trainer for each in planned)
        assert min(each.seed for each in planned) >= 100
