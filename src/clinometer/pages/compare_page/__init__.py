"""The page that holds two runs against each other, and the same in a terminal and as JSON."""
