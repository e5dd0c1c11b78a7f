"""Zoos that travel: releases, publishing, fetching."""
