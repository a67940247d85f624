"""Data sets as tensors: those that are bundled, and those read from local files."""
