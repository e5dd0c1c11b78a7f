"""What lies between two nets, and along the training of one."""
