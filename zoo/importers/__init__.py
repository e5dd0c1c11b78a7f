"""Zoos of others, in their formats: one file a kind, each with a line in IMPORTERS (zoo/importing.py)."""
