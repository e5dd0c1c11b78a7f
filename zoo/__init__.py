"""metazoo's zoos: images -> trained nets -> shards -> a data set of weights."""

from zoo.build import build
from zoo.reader import Nets, Zoo, open
from zoo.spec import Spec, load
from zoo.verify import verify

__all__ = ["Nets", "Spec", "Zoo", "build", "load", "open", "verify"]
