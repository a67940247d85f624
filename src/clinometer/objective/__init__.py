"""Measurements as pure functions of an `Objective`: no loop, no disk, no clock."""
