"""Arguments that several commands share."""


def split_names(only: str) -> list[str]:
    """The names in a list that is separated by commas.

    Example:
        >>> split_names("figure_01, C3,")
        ['figure_01', 'C3']
    """
    return [name.strip() for name in only.split(",") if name.strip()]
