"""What a recorder writes down of the run itself: model, optimizers, batch and machine, in words and numbers."""
