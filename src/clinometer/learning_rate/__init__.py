"""The learning-rate search: short trial trainings that leave nothing behind, and what they tell of longer ones."""
