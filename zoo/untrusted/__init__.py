"""Reading what a stranger may have made: single files, archives, zoos, in a child with limits."""
