"""metazoo's zoos: images -> trained nets -> shards -> a data set of weights."""

from zoo.build import build
from zoo.dataset.nets import Nets
from zoo.dataset.reader import Zoo, open
from zoo.dataset.verify import verify
from zoo.spec.spec import Spec, load
from zoo.status import Status, status
from zoo.workers import work

__all__ = ["Nets", "Spec", "Status", "Zoo", "build", "load", "open", "status", "verify", "work"]
