"""A folder of anyone's state dicts, and a table."""
