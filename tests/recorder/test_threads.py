"""Several threads that train, measure, and use the same process's switches."""

import copy
import threading
from collections.abc import Callable

import pytest
import torch
from models import batch, cross_entropy
from torch import Tensor, nn

from clinometer import Objective, Recorder, every, landscape


def product() -> torch.dtype:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        return (torch.ones(2, 2) @ torch.ones(2, 2)).dtype


def train(steps: int, seed: int) -> tuple[list[Tensor], list[float]]:
    """Without random draws, so that threads cannot take them from each other."""
    generator = torch.Generator().manual_seed(seed)
    model = nn.Sequential(nn.Linear(6, 8), nn.BatchNorm1d(8), nn.Tanh(), nn.Linear(8, 4))
    for p in model.parameters():
        p.data.normal_(generator=generator)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
    recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
    for index in range(steps):
        with recorder.step(batch(index)):
            optimizer.zero_grad()
            cross_entropy(model, batch(index)).backward()
            optimizer.step()
    return [p.detach() for p in model.parameters()], recorder.read("landscape")["beta"].tolist()


def together(*jobs: Callable[[], None]) -> None:
    errors: list[BaseException] = []

    def guarded(job: Callable[[], None]) -> None:
        try:
            job()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=guarded, args=(job,)) for job in jobs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


def test_two_recorders_in_two_threads_leave_the_process_as_it_was() -> None:
    """Optuna with n_jobs=2. The truth of each run is the same run alone; of autocast, the dtype that it gave before."""
    alone = [train(8, seed) for seed in (1, 2)]
    before = torch.autocast.__enter__, torch.autograd.backward, torch.is_anomaly_enabled()
    assert product() == torch.bfloat16
    found: dict[int, tuple[list[Tensor], list[float]]] = {}
    together(*[lambda seed=seed: found.update({seed: train(8, seed)}) for seed in (1, 2)])
    assert product() == torch.bfloat16
    assert (torch.autocast.__enter__, torch.autograd.backward, torch.is_anomaly_enabled()) == before
    for (weights, betas), (others, others_betas) in zip(alone, (found[1], found[2]), strict=True):
        assert all(torch.equal(a, b) for a, b in zip(weights, others, strict=True))
        assert betas == others_betas


def test_another_thread_keeps_its_autocast_while_one_measures() -> None:
    """Each thread's own product tells: bfloat16 where nobody measures, float32 in the evaluation itself."""
    inside, asked = threading.Event(), threading.Event()
    seen: dict[str, torch.dtype] = {}

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        seen["evaluation"] = product()
        inside.set()
        assert asked.wait(60)
        return model(x).sum()

    def measure() -> None:
        objective = Objective(nn.Linear(6, 1), loss_fn, torch.ones(2, 6))
        objective.loss(objective.here())

    def other() -> None:
        assert inside.wait(60)
        seen["other"] = product()
        asked.set()

    together(measure, other)
    assert seen == {"evaluation": torch.float32, "other": torch.bfloat16}


def test_a_loop_in_another_thread_is_not_taken_for_a_loss_of_this_one() -> None:
    """This loop never calls .backward(); what the other calls it on is another network's, and no mistake here."""
    began, trained = threading.Event(), threading.Event()
    found: list[int] = []

    def differentiate() -> None:
        model = nn.Linear(6, 4)
        optimizer = torch.optim.SGD([model.weight], 0.1)
        recorder = Recorder(model, cross_entropy, [landscape()], every(1), optimizer=optimizer)
        with recorder.step(batch()):
            began.set()
            assert trained.wait(60)
            (model.weight.grad,) = torch.autograd.grad(cross_entropy(model, batch()), [model.weight])
            optimizer.step()
        found.append(len(recorder.read("landscape")["beta"]))

    def other() -> None:
        assert began.wait(60)
        nn.Linear(2, 1)(torch.ones(2)).sum().backward()
        trained.set()

    before = torch.autograd.backward
    together(differentiate, other)
    assert found == [1]
    assert torch.autograd.backward is before


class Direct(nn.Module):
    """Reads its tensors one after the other, with work in between, and counts what it normalised in a buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Parameter(torch.randn(64, 128))
        self.norm = nn.BatchNorm1d(128)
        self.second = nn.Parameter(torch.randn(128, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(x @ self.first) @ self.second


MODELS: dict[str, Callable[[], nn.Module]] = {
    "layers": lambda: nn.Sequential(nn.Linear(64, 256), nn.Tanh(), nn.Linear(256, 1)),
    "parameters of its own": lambda: Direct().eval(),
}


@pytest.mark.parametrize("name", MODELS)
def test_another_thread_sees_the_live_weights_while_a_step_is_measured(name: str) -> None:
    """An actor, a server or an evaluation. At learning rate 0 nothing moves: any other output is one of the walk's."""
    torch.manual_seed(0)
    model, x = MODELS[name](), torch.randn(16, 64)
    state = {key: value.clone() for key, value in model.state_dict().items()}
    want = model(x).detach()
    wrong, passes, done = [0], [0], threading.Event()

    def act() -> None:
        while not done.is_set():
            with torch.no_grad():
                wrong[0] += not torch.equal(model(x), want)
            copies = copy.deepcopy(model)
            wrong[0] += type(vars(copies)["_parameters"]) is not dict
            wrong[0] += not all(torch.equal(value, state[key]) for key, value in copies.state_dict().items())
            passes[0] += 1

    def measure() -> None:
        try:
            optimizer = torch.optim.SGD(model.parameters(), lr=0.0)
            probes = [landscape([1, 4, 16], relative=False)]
            recorder = Recorder(model, lambda m, b: m(b).square().mean(), probes, every(1), optimizer=optimizer)
            for _ in range(10):
                data = torch.randn(16, 64)
                with recorder.step(data):
                    optimizer.zero_grad()
                    model(data).square().mean().backward()
                    optimizer.step()
            assert (recorder.read("landscape")["beta"] > 0).all()
        finally:
            done.set()

    together(act, measure)
    assert passes[0] > 10
    assert wrong[0] == 0


def test_what_another_thread_writes_into_buffers_is_kept() -> None:
    """BatchNorm's statistics, updated by that thread during an evaluation, are those of its own pass afterwards."""
    model, inside, written = nn.BatchNorm1d(2), threading.Event(), threading.Event()

    def loss_fn(model: nn.Module, x: Tensor) -> Tensor:
        inside.set()
        assert written.wait(60)
        return model(x).sum()

    def measure() -> None:
        objective = Objective(model, loss_fn, torch.randn(4, 2))
        objective.loss(objective.here())

    def other() -> None:
        assert inside.wait(60)
        model(torch.ones(4, 2) * torch.tensor([[0.0], [0.0], [2.0], [2.0]]))
        written.set()

    together(other, measure)  # in this order: a thread that starts amid an evaluation is taken for one of its own
    assert model.num_batches_tracked == 1
    torch.testing.assert_close(model.running_mean, torch.full((2,), 0.1))
