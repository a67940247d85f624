"""Autoencoding sensory substitution (2019): images become sound and are drawn again from what is heard.

A recurrent autoencoder whose code is a waveform: `network.py` puts together what the files beside it hold, a part
each. `docs/toth2019.md` says what differs from the author's code.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from clinometer.studies.study import Study

TITLE = "Autoencoding sensory substitution"
SOURCE = "Tóth and Parkkonen, 2019"
READ = "the abstract and the author's code csiki/v2a; the full text was not read"
CITATION = """@misc{toth2019,
  title = {Autoencoding sensory substitution},
  author = {Tóth and Parkkonen},
  year = {2019},
}"""


def study() -> "Study":
    """Its study; what it trains is imported now, so that naming it costs nothing."""
    return import_module(f"{__name__}.definition").STUDY
