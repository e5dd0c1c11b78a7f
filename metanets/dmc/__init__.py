"""DMC (Eilertsen et al. 2020, arXiv 2002.05688)."""
