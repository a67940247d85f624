"""Runs on a Ray cluster, whose nodes share no file system with the study."""
