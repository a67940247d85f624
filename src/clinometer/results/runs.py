"""Names that the papers import until they import `run_table`."""

from clinometer.results.run_table import Floats, MissingRunsError, RunTable

Runs = RunTable

__all__ = ["Floats", "MissingRunsError", "RunTable", "Runs"]
