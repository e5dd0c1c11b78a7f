"""Which metanets can read the nets of a zoo, found out before anything is trained."""

from collections.abc import Iterable

from benchmark.scoring.find import find_metanet
from zoo import Nets, Zoo
from zoo.dataset.nets import Inputs

FEW = 2  # nets are read to find out


def unreadable(zoo: Zoo, names: Iterable[str], inputs: Inputs) -> dict[str, str]:
    """Those of the suite's metanets that cannot read this zoo's nets, each with what its input says of that.

    A user's own code is not run here, and counts as one that can.
    """
    found, few = dict[str, str](), dict[Inputs, Nets]()
    for name in names:
        if ":" in name:
            continue
        metanet = find_metanet(name)
        entries: Inputs = "all" if metanet.input.whole else inputs
        if entries not in few:
            few[entries] = zoo.nets("validation", inputs=entries, most=FEW)
        try:
            metanet.features(few[entries])
        except ValueError as error:
            found[name] = str(error)
    return found
