"""`--until-decided` as it is typed: a toy study, killed between two looks and gone on with."""

import json
import subprocess
import sys
from pathlib import Path

import warm
from launch import ENVIRONMENT, TIMEOUT

NETS = """
import torch
from torch import nn

NEAR = (0.9, 0.1, 0.5, 0.55, 0.5)

class Toy(nn.Module):
    def __init__(self, loss):
        super().__init__()
        self.linear = nn.Linear(1, 1, bias=False)
        nn.init.constant_(self.linear.weight, loss**0.5)

    def forward(self, inputs):
        return self.linear(inputs)

def toy(kind, seed):
    own = NEAR[seed] if seed < len(NEAR) else 0.5 + 0.01 * (seed % 3)
    return Toy({"low": 1.0, "high": 9.0 + 0.1 * (seed % 3), "near": 1.0 + own}[kind])

def data():
    return torch.ones(64, 1), torch.zeros(64, 1)
"""
STUDY = """
name: toy
model: nets:toy
data: nets:data
loss: torch.nn.functional:mse_loss
factors:
  kind: [low, high, near]
  lr: 1e-9
steps: 2
claims:
  - {id: clear, quantity: train.loss, rule: difference above 0, compare: {kind: high}, to: {kind: low}}
  - {id: close, quantity: train.loss, rule: difference above 0, compare: {kind: near}, to: {kind: low}}
"""
COMMAND = [sys.executable, "-m", "clinometer.cli", "run", "study.yaml", "--until-decided", "--max-seeds", "30"]


def test_a_study_that_is_killed_between_two_looks_goes_on(tmp_path: Path) -> None:
    """By hand: three seeds, which `high` keeps, decide `clear`; `close` needs the later looks, in whichever process."""
    (tmp_path / "nets.py").write_text(NETS)
    (tmp_path / "study.yaml").write_text(STUDY)
    killed = subprocess.Popen(COMMAND, cwd=tmp_path, env=ENVIRONMENT, stdout=subprocess.PIPE, text=True)
    with killed:
        assert killed.stdout
        assert any(line.startswith("Decided: clear. Open: close. The next look, at 5 seeds,") for line in killed.stdout)
        killed.kill()
    folder = tmp_path / "runs" / "toy"
    assert not (folder / "claims.json").exists()
    again = warm.run(["-W", "error", *COMMAND[1:]], cwd=tmp_path, env=ENVIRONMENT, timeout=TIMEOUT)
    assert again.returncode == 0, again.stderr
    assert "Decided: clear, close." in again.stdout
    clear, close = json.loads((folder / "claims.json").read_text())
    assert (clear["verdict"], clear["parts"][0]["looks"]) == ("holds", [3])
    looks = close["parts"][0]["looks"]
    assert (close["verdict"], looks) == ("holds", [3, 5, 8, 12][: len(looks)])
    made = [json.loads(run.read_text())["settings"]["kind"] for run in folder.glob("runs/*/config.json")]
    assert {kind: made.count(kind) for kind in ("high", "low", "near")} == {
        "high": 3,
        "low": looks[-1],
        "near": looks[-1],
    }
    facts = json.loads((folder / "study.json").read_text())
    assert facts["claim_seeds"] == {"clear": 3, "close": looks[-1]}
