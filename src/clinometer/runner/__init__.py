"""How runs are made: many at a time, each by one process, whatever befalls it."""
