"""Runs that break and runs that do not: which signal tells them apart, how early, and how often it is wrong."""
