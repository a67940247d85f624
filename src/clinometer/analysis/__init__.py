"""What claims of several papers share: learning progress, matched loss, drift, paired ratios."""
