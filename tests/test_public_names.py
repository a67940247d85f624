import subprocess
import sys
from pathlib import Path

import clinometer


def test_public_names_are_exactly_those_listed() -> None:
    """The names are the promise to users: one that goes, or comes unnoticed, fails here."""
    names = clinometer.__all__
    assert len(names) == len(set(names)) <= 33, "a new public name replaces one or earns its page"
    public = {name for name, value in vars(clinometer).items() if not name.startswith("_")}
    modules = {each.stem for each in Path(clinometer.__file__).parent.iterdir()}
    assert public - modules == set(names)


def test_importing_starts_nothing_heavy() -> None:
    """In a fresh interpreter: the instrument must not drag in what only studies need."""
    heavy = (
        "lightning",
        "transformers",
        "accelerate",
        "scipy",
        "matplotlib",
        "pyarrow",
        "PIL",
        "rich",
        "xarray",
        "pandas",
        "tensorboard",
        "wandb",
        "mlflow",
        "trackio",
    )
    code = f"import sys, clinometer; print([m for m in {heavy} if m in sys.modules])"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
