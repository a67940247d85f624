"""Reads finished runs, and loads, exports, compares and merges studies."""
