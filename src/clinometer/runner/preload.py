"""What the server of worker processes imports and reads before it forks them, so that each is ready at once."""

from clinometer.training import run
from clinometer.training.code_digest import digest_code
from clinometer.training.config import TRAINER
from clinometer.training.executed_sources import note_own_sources

__all__ = ["run"]

note_own_sources()
digest_code((TRAINER.partition(":")[0],))  # remembered by source: a worker compares its own with the study's
