"""Files that are whole or absent, shards, and the manifest."""
