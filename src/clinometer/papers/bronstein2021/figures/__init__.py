"""What each figure shows, a module a figure, with its arms."""
