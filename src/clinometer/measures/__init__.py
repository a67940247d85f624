"""Measurements: one quantity a file, from an `Objective` to a frozen dataclass."""
