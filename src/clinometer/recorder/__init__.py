"""The recorder: measures a training run as it goes, and leaves it bit-identical."""
