"""What all records say: boards, comparisons, tables, pictures."""
