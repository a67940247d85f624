"""`python -m clinometer.cli` is `clinometer`."""

from clinometer.cli.app import main

main()
