"""Writes the page of whatever a path holds, as the command line and Python alike ask for it."""
