"""The networks of the corpus, one family a file: each maps a batch of handwritten digits to logits."""
