"""The networks: sequences of stages on grids, groups and graphs."""
