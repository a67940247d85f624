"""A character-level GPT on the text of this repository's licence, by AdamW with warm-up and gradient clipping.

    python examples/networks/transformer.py

Trains 120 steps, measures every 20, and prints loss, β-smoothness and headroom along what AdamW did, clipping and all.
"""

from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clinometer import Recorder, every, headroom, landscape
from clinometer.recorder.schedules import Schedule

TEXT = torch.tensor(list((Path(__file__).parents[2] / "LICENSE").read_bytes()))  # ASCII


class Block(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.attend, self.out = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 192)), nn.Linear(64, 64)
        self.think = nn.Sequential(nn.LayerNorm(64), nn.Linear(64, 256), nn.GELU(), nn.Linear(256, 64), nn.Dropout(0.1))

    def forward(self, h: Tensor) -> Tensor:
        q, k, v = self.attend(h).unflatten(-1, (3, 4, 16)).permute(2, 0, 3, 1, 4)  # each (batch, 4 heads, place, 16)
        h = h + self.out(F.scaled_dot_product_attention(q, k, v, is_causal=True).transpose(1, 2).flatten(-2))
        return h + self.think(h)


def loss_fn(gpt: nn.Sequential, text: Tensor) -> Tensor:
    letters, places, *blocks = gpt
    h = nn.Sequential(*blocks)(letters(text[:, :-1]) + places.weight)
    return F.cross_entropy((h @ letters.weight.T / 8).flatten(0, 1), text[:, 1:].flatten())  # tied, and scaled by √64


def train(when: Schedule) -> tuple[Recorder, list[Tensor]]:
    torch.manual_seed(0)
    model, losses = nn.Sequential(nn.Embedding(128, 64), nn.Embedding(32, 64), Block(), Block(), nn.LayerNorm(64)), []
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)
    warm_up = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 40))
    recorder = Recorder(model, loss_fn, [landscape(direction="update"), headroom()], when, optimizer=optimizer)
    for _ in range(120):
        batch = TEXT[torch.randint(len(TEXT) - 32, (16, 1)) + torch.arange(33)]  # 16 pieces of 33 letters
        with recorder.step(batch):
            loss = loss_fn(model, batch)
            optimizer.zero_grad(), loss.backward(), nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step(), warm_up.step()
        losses.append(loss.detach())
    return recorder, losses


if __name__ == "__main__":
    recorder, _ = train(every(20))
    walked, room = recorder.read("landscape_update"), recorder.read("headroom")
    print("step   loss      β  headroom")
    for row in zip(walked["step"], walked["loss"], walked["beta"], room["loss"], strict=True):
        print("{:4d}  {:5.3f}  {:5.1f}  {:8.1f}".format(*row))
