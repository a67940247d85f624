"""The results of papers that are kept with their code, to hold a user's verdicts beside."""

from pathlib import Path

from clinometer.papers import load_paper

_PACKAGE = Path(__file__).parent.parent
_FOLDERS = (_PACKAGE / "kept", _PACKAGE.parent.parent / "results")  # of an installed wheel, and of a checkout


def kept_claims(paper: str, scale: str) -> Path | None:
    """The claims.json of a paper at a scale, as somebody decided them before; None if none is kept.

    Args:
        paper: The paper's name. One of another package says by `KEPT`, a folder, where its SCALE/claims.json are.
        scale: smoke, laptop or paper.

    Raises:
        ValueError: if there is no such paper.

    Example:
        >>> kept_claims("santurkar2018", "none") is None
        True
    """
    own = getattr(load_paper(paper), "KEPT", None)
    folders = [Path(own)] if own else [folder / paper for folder in _FOLDERS]
    files = (folder / scale / "claims.json" for folder in folders)
    return next((file for file in files if file.is_file()), None)
