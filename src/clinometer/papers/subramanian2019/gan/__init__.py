"""Adversarial training on 8×8 digits, with discriminators that differ in their norm."""
