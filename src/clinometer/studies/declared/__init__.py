"""Studies of one's own: somebody's model and data by import path, described in a file of twenty lines."""
