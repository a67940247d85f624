"""Message passing on random graphs: which community does a node belong to, where one in ten is told?

    python examples/networks/graph_network.py

Each step draws a graph: 3 communities of 40 nodes, edges with probability 0.15 inside and 0.03 between. Trains 100
steps with Adam, prints what it meets every 20, and the accuracy on 50 new graphs with and without their edges.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, landscape
from clinometer.recorder.schedules import Schedule


class Network(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embed, self.head = nn.Linear(3, 32), nn.Linear(32, 3)
        self.message, self.update = nn.Linear(64, 32), nn.GRUCell(32, 32)

    def forward(self, nodes: Tensor, edges: Tensor) -> Tensor:
        h, (sender, receiver) = self.embed(nodes), edges
        for _ in range(3):  # a node hears of those at most three edges away
            messages = F.relu(self.message(torch.cat([h[sender], h[receiver]], 1)))
            h = self.update(torch.zeros_like(h).index_add(0, receiver, messages), h)
        return self.head(h)


def graph() -> tuple[Tensor, Tensor, Tensor]:
    community = torch.arange(3).repeat_interleave(40)
    linked = torch.where(community[:, None] == community, 0.15, 0.03).bernoulli().triu(1)
    nodes = F.one_hot(community) * (torch.rand(120, 1) < 0.1).float()
    return nodes, (linked + linked.T).nonzero().T, community


def train(when: Schedule) -> tuple[Recorder, list[Tensor]]:
    torch.manual_seed(0)
    model, losses, loss_fn = Network(), [], lambda model, batch: F.cross_entropy(model(*batch[:2]), batch[2])
    optimizer = torch.optim.Adam(model.parameters(), lr=0.01)
    recorder = Recorder(model, loss_fn, [landscape(direction="update"), headroom()], when, optimizer=optimizer)
    for _ in range(100):
        with recorder.step(batch := graph()):
            loss = loss_fn(model, batch)
            optimizer.zero_grad(), loss.backward(), optimizer.step()
        losses.append(loss.detach())
    return recorder, losses


if __name__ == "__main__":
    recorder, _ = train(every(20))
    walked, room = recorder.read("landscape_update"), recorder.read("headroom")
    print("step   loss      β  headroom")
    for row in zip(walked["step"], walked["loss"], walked["beta"], room["loss"], strict=True):
        print("{:4d}  {:5.3f}  {:5.1f}  {:8.1f}".format(*row))
    for edges, kept in ("with edges:", None), ("without:", 0):
        right = [recorder.model(n, e[:, :kept]).argmax(1) == c for n, e, c in (graph() for _ in range(50))]
        print("accuracy", edges, f"{torch.cat(right).float().mean():.2f}")
