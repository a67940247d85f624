"""Adapters to training libraries. Each imports its library inside."""
