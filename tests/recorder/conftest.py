from notebooks import notebook

__all__ = ["notebook"]  # a fixture
