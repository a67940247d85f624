"""Whether a run is well, by one rule: on its page, in a notebook and in a terminal."""
