"""The reference: a frozen set of zoos and tasks on which all metanets are compared."""
