"""Two processes that train one network together: what is measured is what they minimise, and no process waits in vain.

The processes run `ddp_checks.py` and `fsdp_checks.py` once each, on CPU, and say what they found.
"""

import math
from typing import Any

import pytest
import torch
from launch import Found, launched, of
from torch import distributed as dist
from torch import nn

from clinometer import Objective
from clinometer.objective.distributed import Ranks
from clinometer.objective.gradients import gradient, gradient_by_backward

pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="needs torch.distributed with gloo"
)


DIES = (1, 3)  # how the processes end: rank 1 as if it were killed, rank 0 by the error that it gets from that


@pytest.fixture(scope="module")
def ddp(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return launched("ddp_checks.py", tmp_path_factory.mktemp("ddp"), DIES)


@pytest.fixture(scope="module")
def fsdp(tmp_path_factory: pytest.TempPathFactory) -> Found:
    if not hasattr(torch.cpu.current_stream(), "record_event"):
        pytest.skip("this torch cannot run fully_shard on CPU: its streams record no events; torch 2.7 was the first")
    return launched("fsdp_checks.py", tmp_path_factory.mktemp("fsdp"), DIES)


def assert_same_rows(ours: dict[str, Any], theirs: dict[str, Any], prefix: str = "") -> None:
    """Equal but for the order in which float32 numbers were summed, here and in up to four training steps before."""
    names = [name for name in theirs if name.startswith(prefix)]
    assert names
    assert set(names) <= set(ours)
    for name in names:
        a, b = torch.tensor(ours[name]), torch.tensor(theirs[name])
        # Measured differences are of 3 ε or less, ε = 1.2e-7; a batch that is left out changes the second digit.
        # Headroom is where a difference of losses is zero, and rounding a larger part of that: 5e-5 in one step, and
        # 2e-3 of another loss in a step that hardly changes it.
        most = {"headroom": 1e-4, "headroom_gradient_other_loss_blocks": 5e-3}.get(name.split(".")[0], 1e-5)
        torch.testing.assert_close(
            a, b, rtol=most, atol=most * float(b.abs().nan_to_num().max()), equal_nan=True, msg=name
        )


LINES = (
    "landscape.",
    "headroom.",
    "headroom_gradient_other_loss_blocks.",
    "internal_shift.",
    "scale_free.",
    "step_norms.",
)


@pytest.mark.parametrize("line", [*LINES, "landscape_random.", "noise_floor.distance", "trace.", "density."])
def test_replicas_measure_the_joined_batch(ddp: Found, line: str) -> None:
    """One process without a wrapper, on both halves of each batch at once, trains and measures the same."""
    (found, _) = of(ddp, "walk_on_both_halves")
    assert_same_rows(found["two"], found["one"], line)


@pytest.mark.parametrize("line", [*LINES, "scale_free_update.", "noise_floor.distance"])
@pytest.mark.parametrize("way", ["cut", "kept", "repeated"])
def test_pieces_measure_the_joined_batch(fsdp: Found, way: str, line: str) -> None:
    """As above; pieces of 9 over 2, of 1 over 2, and each of them on both processes, where none must count twice."""
    (found, _) = of(fsdp, "walk_on_both_halves")
    assert_same_rows(found[way], found["one"], line)


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_norms_alone_are_of_the_joined_batch(kind: str, request: pytest.FixtureRequest) -> None:
    """As above, at steps at which nothing is evaluated: loss, gradient, update and weights of one process."""
    (found, _) = of(request.getfixturevalue(kind), "norms_alone")
    assert_same_rows(found["two"], found["one"], "step_norms.")


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_each_rank_normalizes_by_its_own_batch(kind: str, request: pytest.FixtureRequest) -> None:
    """By hand in one process: the mean of the halves' losses, each half through BatchNorm alone, as in training."""
    (found, _) = of(request.getfixturevalue(kind), "batchnorm")
    assert_same_rows(found["two"], found["one"], "landscape.")


def test_batchnorm_on_the_joined_batch_would_be_something_else(ddp: Found) -> None:
    """Else the test above could not fail."""
    (found, _) = of(ddp, "batchnorm")
    with pytest.raises(AssertionError):
        assert_same_rows(found["two"], found["joined"], "landscape.")


def test_batchnorm_terms_are_of_the_ranks_own_batch(fsdp: Found) -> None:
    """The row is rank 0's: that of one process on the same half, with the whole γ though rank 0 holds a part of it."""
    (found, _) = of(fsdp, "batchnorm")
    ours = {name: values[:1] for name, values in found["two"].items()}
    assert_same_rows(ours, found["terms"], "batchnorm_terms.")


@pytest.mark.parametrize("parts", ["1", "2"])
def test_the_noise_scale_of_ranks_is_that_of_batches(ddp: Found, parts: str) -> None:
    """One process that accumulates the same halves has the same gradients one by one; DDP's cost no further pass."""
    (found, _) = of(ddp, "noise_of_each_half")
    assert_same_rows(found[parts]["two"], found[parts]["one"])
    assert found[parts]["two"]["noise_scale.batches"] == [2 * int(parts)] * (4 // int(parts))
    assert [rank[parts]["passes"] for rank in of(ddp, "noise_of_each_half")] == [0, 0]


def test_the_noise_scale_of_sharded_gradients_is_that_of_whole_batches(fsdp: Found) -> None:
    """One process with the whole batches; and for a single batch, gradients of its parts by hand."""
    (found, _) = of(fsdp, "noise_of_each_batch")
    assert found["cut"] == pytest.approx(found["one"], rel=1e-5)
    assert found["parts"]["noise_scale.noise"][0] == pytest.approx(found["by hand"], rel=1e-5)
    assert found["parts"]["noise_scale.batch_size"] == [16, 16]


def test_ranks_that_cannot_all_split_their_batch_agree(fsdp: Found) -> None:
    """Rank 1 has a single sample: were rank 0 to go on, it would wait for ever."""
    (found, _) = of(fsdp, "noise_of_each_batch")
    assert all(math.isnan(value) for value in found["lone"]["noise_scale.value"])
    assert len(found["said"]) == 1
    assert "as many on each process" in found["said"][0]


OPTIONS = ["default", "buffers of their own", "bucket views", "static graph", "accumulation"]


@pytest.mark.parametrize("options", OPTIONS)
def test_no_trace_with_ddp(ddp: Found, options: str) -> None:
    """The same run unmeasured: weights, buffers, gradients, momentum, random streams and hooks, on both ranks."""
    for rank in of(ddp, "no_trace"):
        unmeasured, measured = rank[options]
        assert measured["bits"] == unmeasured["bits"]


@pytest.mark.parametrize("options", ["default", "accumulation", "unknown accumulation"])
def test_no_trace_with_fully_shard(fsdp: Found, options: str) -> None:
    """The same run unmeasured, with forward passes in between that leave parameters gathered."""
    for rank in of(fsdp, "no_trace"):
        unmeasured, measured = rank[options]
        assert measured["bits"] == unmeasured["bits"]
    found = of(fsdp, "no_trace")[0][options][1]["rows"]
    assert len(found["landscape.step"]) == (7 if "unknown" in options else 2)
    assert min(found["landscape.grad_norm"]) > 0  # it was reduced, whatever the loop had told FSDP


@pytest.mark.parametrize("options", OPTIONS)
def test_the_loss_is_the_mean_of_what_training_saw(ddp: Found, options: str) -> None:
    """Training's own losses, exchanged by the test: dropout, a buffer that DDP sends around and all."""
    found = of(ddp, "no_trace")[0][options][1]
    assert found["seen"] == pytest.approx(found["losses"], rel=2 * torch.finfo(torch.float32).eps)


def test_the_wrapper_is_found_wherever_it_is(ddp: Found) -> None:
    """The same training three times: rows must not depend on what was handed to the recorder, but for layers' names."""
    (found, _) = of(ddp, "wherever_the_wrapper_is")
    assert len(found["itself"]["landscape.loss"]) == 2
    assert found["itself"] == found["inside"] == found["around"]


def test_a_criterion_is_measured_with_the_model(ddp: Found) -> None:
    """One process trains both without a wrapper, on both halves of each batch at once."""
    (found, _) = of(ddp, "a_criterion_in_a_wrapper_of_its_own")
    assert_same_rows(found["two"], found["one"])


def test_memory_stays_sharded(fsdp: Found) -> None:
    """Counted from outside: elements of points, and whole weights alive amid the forward passes and at the end."""
    ranks = of(fsdp, "memory")
    assert sum(rank["mine"] for rank in ranks) == ranks[0]["total"]
    for name in ("before", "after", "gradient"):
        assert ranks[0]["points"][name] == ranks[0]["mine"]
    for rank in ranks:
        assert rank["left"] == []
        # One block at a time, the larger of 54 and 81, and not 135: in training and in measuring.
        assert rank["most"] == {"training": 81, "measuring": 81}


def test_a_random_direction_differs_between_pieces_and_is_as_long_as_the_gradient(fsdp: Found) -> None:
    """Its length against the walk's own gradient norm, and each rank's piece against the other's."""
    found, other = of(fsdp, "random_directions")
    assert found["pieces"] == other["pieces"]
    assert not set(found["pieces"][0]) & set(found["pieces"][1])
    assert sum(found["squares"]) ** 0.5 == pytest.approx(found["landscape"]["landscape.grad_norm"][0], rel=1e-5)


def test_a_probe_that_raises_on_one_rank_ends_the_step_on_both(ddp: Found) -> None:
    """The next gradient is that of a run unmeasured: no exchange was left open for it to fall into."""
    ranks = of(ddp, "a_probe_that_raises_on_one_rank")
    for rank, words in zip(ranks, ["OtherRankError: rank 1 failed", "ArithmeticError: rank 1 is unwell"], strict=True):
        for case in rank["cases"]:
            assert case["said"].startswith(words)
            assert case["kept"] == []
            assert case["gradient"] == rank["unmeasured"]


def test_an_error_amid_a_sharded_pass_puts_the_pieces_back(fsdp: Found) -> None:
    """Raised in a forward and in a backward pass; a run that goes on has the bits of one where nothing was raised."""
    for rank in of(fsdp, "an_error_amid_a_pass"):
        assert [case["said"] for case in rank] == ["unwell", "unwell", None]
        assert len({case["bits"] for case in rank}) == 1


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_a_rank_that_dies_ends_the_others(kind: str, request: pytest.FixtureRequest) -> None:
    """A process that exits amid a measurement, seen from the other one: it ends at once, and with an error."""
    first, *others = request.getfixturevalue(kind)
    assert "Connection" in first["a_rank_that_dies"]
    assert "a_rank_that_dies" not in others[0]


def test_the_budget_is_rank_0s(ddp: Found) -> None:
    """By its clock k measurements of 2 s are covered by 2k/(1.15 · 0.2) steps of 1 s; by rank 1's, one at most."""
    first, second = of(ddp, "budget_by_rank_0")
    assert first == second == [math.ceil(2 * k / (1.15 * 0.2)) for k in range(1, 7)]


def test_alarms_are_rank_0s_and_both_act(ddp: Found) -> None:
    """By construction: the rate is halved after the second step and training ends after the third, on both."""
    first, second = of(ddp, "alarms_of_rank_0")
    assert first["rates"] == second["rates"] == [0.3, 0.3, 0.15]
    assert first["said"] == second["said"]
    assert first["said"].startswith("step 2: own/x is 2, above 1.5 since step 2; its usual was 0.5.")
    assert (first["kept"], second["kept"]) == (2, None)


def test_a_gradient_on_one_rank_alone_is_waited_for(ddp: Found) -> None:
    """Four batches are two steps, though rank 1 holds no gradient after the first of each."""
    assert of(ddp, "gradients_of_one_rank_alone") == [2, 0]


@pytest.mark.parametrize("kind", ["ddp", "fsdp"])
def test_another_loss_than_training_is_noticed(kind: str, request: pytest.FixtureRequest) -> None:
    """Twice the loss: said once, on rank 0. Elsewhere in these checks, where losses agree, any warning is an error."""
    (said, others) = of(request.getfixturevalue(kind), "doubt")
    assert len(said) == 1
    assert "2 times as much" in said[0]
    assert others == []


def test_rank_0_writes(ddp: Found) -> None:
    """Files, sinks, and what reading elsewhere says."""
    first, second = of(ddp, "who_writes")
    assert first == {"told": [0, 1], "files": True, "said": "2 rows"}
    assert second["told"] == []
    assert not second["files"]
    assert "rank 1 keeps no rows" in second["said"]


def test_hessian_vector_products_are_of_the_joined_batch(ddp: Found) -> None:
    """One process on both halves; second derivatives add up a few more roundings. Both ranks have the same bits."""
    first, second = of(ddp, "hessian")
    assert first == second
    for two, one in zip(first[:4], first[4:], strict=True):
        torch.testing.assert_close(torch.tensor(two), torch.tensor(one), rtol=1e-4, atol=1e-6)


def test_a_plane_is_of_the_joined_batch_and_rank_0_keeps_its_file(ddp: Found) -> None:
    """One process on both halves; what rank 0 has read no rank evaluates again, and its refusal ends it on both."""
    first, second = of(ddp, "a_plane")
    assert first["two"] == second["two"] == first["again"] == second["again"]
    torch.testing.assert_close(torch.tensor(first["two"]), torch.tensor(first["one"]), rtol=1e-5, atol=0.0)
    assert (first["calls"], second["calls"]) == (1, 1)
    assert (first["written"], second["written"]) == (True, False)
    assert "ValueError" in first["refused"]
    assert "another origin or other directions" in first["refused"]
    assert "OtherRankError: rank 0 failed" in second["refused"]


def test_a_plane_of_a_sharded_network_is_that_of_the_whole_one(fsdp: Found) -> None:
    """One process holds all of it; both ranks have the same losses, also from the file of rank 0."""
    first, second = of(fsdp, "a_plane")
    assert first["random"] == second["random"] == [first["random"][0]] * 2
    for found in (first, second):
        for cut, one in zip(found["cut"], found["one"], strict=True):
            torch.testing.assert_close(torch.tensor(cut), torch.tensor(one), rtol=1e-4, atol=1e-5)


def test_products_of_several_batches_are_normalized_by_rank_and_batch(ddp: Found) -> None:
    """One process on the four parts, each with BatchNorm statistics of its own, as training takes them."""
    for two, one in of(ddp, "hessian_with_batchnorm"):
        torch.testing.assert_close(torch.tensor(two), torch.tensor(one), rtol=1e-4, atol=1e-6)


def test_products_through_fully_shard_are_differences_with_their_error(fsdp: Found) -> None:
    """The truth is double backward by one process on the joined batch; it lies within what is said of the error."""
    found = of(fsdp, "hessian")[0]
    smooth = found["smooth"]
    found_product, truth = torch.tensor(smooth["product"]), torch.tensor(smooth["exact"])
    assert 0 < smooth["error"] < 1e-2
    assert float((found_product - truth).norm() / truth.norm()) < smooth["error"]
    assert "fully_shard" in smooth["notes"][0]
    assert "relative error" in smooth["notes"][1]
    assert found["along"] == pytest.approx(found["along exactly"], rel=1e-2)


def test_differences_over_kinks_are_no_products(fsdp: Found) -> None:
    """Of kinks between the two points no difference tells a second derivative; double backward ignores them."""
    kinks = of(fsdp, "hessian")[0]["kinks"]
    assert kinks["error"] > 0.1
    assert all(math.isnan(value) for value in kinks["product"])
    assert all(math.isfinite(value) for value in kinks["exact"])
    assert "disagree by" in kinks["notes"][1]


def test_forward_passes_alone_measure_the_joined_batch_in_place(fsdp: Found) -> None:
    """One process on both halves; the shards are where they were. The critical step is searched to a tenth."""
    for two, one in of(fsdp, "forward_passes"):
        assert two == pytest.approx(one, rel=1e-4)


REFUSED = {
    "ddp": ["mixed_precision", "fully_shard, which replaces it"],
    "fsdp": ["hvp", "differences=True", "not by fully_shard", "measure under DDP", "measure under DDP"],
}


@pytest.mark.parametrize("kind", REFUSED)
def test_what_cannot_be_measured_is_refused(kind: str, request: pytest.FixtureRequest) -> None:
    """Wrappers that move weights unseen, second derivatives through fully_shard, and DTensors of another origin."""
    for said in of(request.getfixturevalue(kind), "refusals"):
        assert len(said) == len(REFUSED[kind])
        assert all(words in text for words, text in zip(REFUSED[kind], said, strict=True))


def test_two_ways_to_the_gradient_agree() -> None:
    """torch's own two: asked for, and accumulated; fully_shard knows the second alone."""
    model = nn.Linear(3, 2)
    loss = lambda: model(torch.ones(4, 3)).square().mean()  # noqa: E731
    wanted = dict(model.named_parameters())
    first, second = gradient(loss(), wanted), gradient_by_backward(loss(), wanted)
    assert all(torch.equal(first[name], second[name]) for name in wanted)


def test_one_process_is_alone() -> None:
    """Nothing is exchanged, whatever torch was built with: the numbers are this process's own."""
    objective = Objective(nn.Linear(2, 1), lambda m, x: m(x).sum(), torch.ones(1, 2))
    assert objective.ranks == Ranks() == Ranks(size=1, index=0)
    assert objective.ranks.all_gather(3.0) == [3.0]
