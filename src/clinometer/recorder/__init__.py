"""The instrument on a living run: the only code that touches a training loop."""
