"""Zoos of others in their formats: a file named as each kind, with a line in IMPORTERS (zoo/importing.py), and its parts."""
