"""Fitting metanets and scoring them."""
