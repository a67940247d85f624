"""The page of a study: its claims with their verdicts first, then its figures, theorems and settings."""
