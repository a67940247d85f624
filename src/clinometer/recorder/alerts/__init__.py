"""Alerts: they read a run's rows as they come, and say an alarm where a quantity leaves what was usual."""
