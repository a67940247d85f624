"""What comes out of a finished study: files, comparisons with another, one study from several."""
