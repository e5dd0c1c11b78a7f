"""The verbs by which zoos travel: publish, fetch, import; and whether this machine is fit."""
