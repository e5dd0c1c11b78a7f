"""Files that are whole or absent, shards, and the manifest."""

from zoo.storage.manifest import MANIFEST, read_manifest
from zoo.storage.shards import FORMAT, Shard

__all__ = ["FORMAT", "MANIFEST", "Shard", "read_manifest"]
