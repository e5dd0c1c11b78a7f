"""Lim et al.'s zoos (arXiv 2405.20231): their importer, and the export in their format."""
