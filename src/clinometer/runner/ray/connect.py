"""Connects to a Ray cluster and sends it this package, so that its nodes run the code that is here."""

import contextlib
import io
import logging
import math
import os
import socket
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from zipfile import ZipFile

import clinometer
from clinometer.extras import need

_CODE = 10 * 2**20  # bytes of a user's modules
_CONNECT_SECONDS = 5.0  # for the address to answer


class ClusterError(ValueError):
    """There is no cluster, or none that can make these runs."""


def check(address: str, cpus: float, gpus: float) -> None:
    """Check the options of a cluster without connecting to it; ClusterError if one is invalid.

    Example:
        >>> check("ray", cpus=1.0, gpus=0.25)
        >>> check("rya", cpus=1.0, gpus=0.0)  # doctest: +ELLIPSIS
        Traceback (most recent call last):
        ...
        clinometer.runner.ray.connect.ClusterError: --on must be ray, or ray://head:10001 ...; found rya.
    """
    if address != "ray" and not _address(address):
        raise ClusterError(f"--on must be ray, or ray://head:10001 for a cluster elsewhere; found {address}.")
    for name, share in (("cpus", cpus), ("gpus", gpus)):
        if not (0 <= share <= 1 or (1 < share < math.inf and share == int(share))):
            raise ClusterError(f"--{name}-per-run must be a part of one, or a whole number; found {share:g}.")
    if not cpus and not gpus:
        raise ClusterError("a run needs some of a CPU, or of a GPU: --cpus-per-run and --gpus-per-run are both 0.")


def connect(address: str, cpus: float, gpus: float) -> tuple[Any, Callable[[], None]]:
    """Connect to the cluster at an address; return Ray and a function that disconnects.

    A program that is connected already stays connected; its nodes must have clinometer.
    """
    check(address, cpus, gpus)
    ray = need("ray", "ray")
    if ray.is_initialized():
        return ray, lambda: None
    package = Path(clinometer.__file__).parent
    shipped = {"runtime_env": {"py_modules": [str(package)], "excludes": ["__pycache__"]}}
    quiet = {"logging_level": logging.ERROR, "log_to_driver": False}
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")  # of a cluster that is started here
    if address != "ray":
        _check_reachable(address)
        try:
            ray.init(address, **shipped, **quiet)
        except (ConnectionError, RuntimeError) as error:  # such as other versions of Ray or Python
            raise ClusterError(f"no cluster can be used at {address}: {error}") from error
    else:
        try:
            ray.init("auto", **shipped, **quiet)
        except ConnectionError:
            ray.init(include_dashboard=False, **shipped, **quiet)
    return ray, ray.shutdown


def modules() -> bytes | None:
    """The user's own modules, if a study has some: all Python files beneath CLINOMETER_MODULES, zipped."""
    given = os.environ.get("CLINOMETER_MODULES")
    if not given:
        return None
    zipped = io.BytesIO()
    with ZipFile(zipped, "w") as archive:
        for file in sorted(Path(given).rglob("*.py")):
            within = file.relative_to(given)
            if not any(part.startswith(".") or part in ("site-packages", "__pycache__") for part in within.parts):
                archive.write(file, str(within))
            if zipped.tell() > _CODE:
                raise ClusterError(
                    f"the Python files in {given} take more than {_CODE:,} bytes, all of which would go to every node. "
                    "Keep the study's modules in a folder of their own."
                )
    return zipped.getvalue()


def _address(address: str) -> tuple[str, int] | None:
    """Host and port of a cluster elsewhere."""
    parts = urlsplit(address)
    with contextlib.suppress(ValueError):  # a port that is no number
        if parts.scheme == "ray" and parts.hostname:
            return parts.hostname, parts.port or 10001
    return None


def _check_reachable(address: str) -> None:
    """ClusterError if nothing answers at the address; Ray itself would try for half a minute."""
    place = _address(address)
    assert place, "check has parsed it"
    try:
        socket.create_connection(place, _CONNECT_SECONDS).close()
    except OSError as error:
        raise ClusterError(
            f"nobody answers at {address}: {error}. Expected the head of a Ray cluster, with its client port, which is "
            "10001 unless `ray start --head --ray-client-server-port` said otherwise."
        ) from error
