"""How often an alarm comes before a run breaks, how often for nothing, and whether it names the right block."""
