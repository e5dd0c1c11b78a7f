"""Results of others: submitting, checking, verifying."""
