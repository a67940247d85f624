"""Adapters to training libraries. Importing an adapter imports its library."""
