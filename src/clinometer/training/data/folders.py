"""Where data is read from, and where it is kept once it is decoded. Nothing of torch is needed to know."""

import os
from pathlib import Path


def data_path(path: str | Path | None = None) -> Path:
    """The folder of the Parquet files: `path`, or else the environment variable CLINOMETER_DATA."""
    given = path or os.environ.get("CLINOMETER_DATA")
    if not given:
        raise ValueError(
            "CIFAR-10 is not bundled, and no path to it was given. Pass --data PATH, or set CLINOMETER_DATA, to a "
            "folder with train*.parquet and test*.parquet (columns img{bytes,path} and label)."
        )
    if not Path(given).is_dir():
        raise ValueError(f"no folder {str(given)!r}; expected one with train*.parquet and test*.parquet.")
    return Path(given)


def cache_folder() -> Path:
    """The folder for decoded data: CLINOMETER_CACHE, or ~/.cache/clinometer."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(os.environ.get("CLINOMETER_CACHE") or Path(home) / "clinometer")
