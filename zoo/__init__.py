"""metazoo's zoos: images -> trained nets -> shards -> a data set of weights."""

from zoo.dataset.nets import Nets
from zoo.dataset.reader import Zoo
from zoo.dataset.verify import verify
from zoo.hub.fetch import open
from zoo.jobs.build import build
from zoo.jobs.status import Status, status
from zoo.jobs.workers import work
from zoo.spec.spec import Spec, load

__all__ = ["Nets", "Spec", "Status", "Zoo", "build", "load", "open", "status", "verify", "work"]
