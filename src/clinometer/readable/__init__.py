"""How objects show themselves: in one short line, and as a table in a notebook."""
