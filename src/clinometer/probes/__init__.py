"""Probes: one a file, from a recorded step to a row of named arrays."""
