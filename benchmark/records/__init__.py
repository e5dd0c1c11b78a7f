"""Records: one result each, with its predictions."""
