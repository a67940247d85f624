"""What fills the tables of the README and the docs; see `fill.py`."""
