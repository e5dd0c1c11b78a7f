"""The Small CNN Zoo of Unterthiner et al. (arXiv 2002.11448)."""
