"""Figures as data, made into pictures."""
