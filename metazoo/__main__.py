"""`python -m metazoo`: the command line."""

from metazoo import main

main()
