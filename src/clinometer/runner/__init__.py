"""Makes many runs at a time, each in a process of its own, so that a crash costs one run and nothing is made twice."""
