"""Studies: what varies, how runs are made, and how claims about them are decided."""
