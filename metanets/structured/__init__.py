"""Metanets that read nets layer by layer: what stands in a weight's row and column matters, not where the row stands."""
