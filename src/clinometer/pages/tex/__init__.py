"""A study's results for a paper: a table of claims and figures at the width of a column, as TeX."""
