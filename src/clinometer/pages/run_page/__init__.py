"""The page of one training run that a recorder was attached to."""
