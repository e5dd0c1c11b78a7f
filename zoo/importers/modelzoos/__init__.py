"""Schürholt et al.'s model zoos (arXiv 2209.14764): folders of Ray Tune."""
