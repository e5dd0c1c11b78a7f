"""Metanets that look for what they are not to know, or misbehave, for the tests of the process that fits."""

import gc
import json
import os
import signal
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
import torch
from torch import nn

import metanets.baselines


class Prying(nn.Module):
    """Notes all numbers that this process holds, when it has seen the test nets, in the file that PRYING names."""

    def __init__(self, weights: int) -> None:
        super().__init__()
        self.layer = nn.Linear(weights, 1)

    def forward(self, weights):
        if not self.training:
            note(weights.shape[0])
        return self.layer(weights)[:, 0]


def is_plain(found: object) -> bool:
    return type(found) is torch.Tensor and found.device.type == "cpu" and found.layout == torch.strided


def note(nets: int) -> None:
    objects = gc.get_objects()
    objects += [part for found in objects for part in gc.get_referents(found)]
    held = [found for found in objects if type(found) is np.ndarray or is_plain(found)]
    columns = [np.asarray(o.detach() if type(o) is torch.Tensor else o) for o in held]
    columns = [o.astype(float) for o in columns if o.shape == (nets,) and o.dtype.kind in "fiu"]
    words = {found for found in objects if type(found) is str and os.sep in found and len(found) < 200}
    folders = sorted(word for word in {*words, *sys.argv} if word.isprintable() and Path(word).is_dir())
    recipe = sorted({str(name) for found in objects if type(found) is pd.DataFrame for name in found.columns})
    told = {"columns": [c.tolist() for c in columns], "folders": folders, "recipe": recipe}
    Path(os.environ["PRYING"]).write_text(json.dumps(told))


class Leaving(Prying):
    """Ends its process, as HOW says."""

    def forward(self, weights):
        if self.training:
            how = os.environ["HOW"]
            if how == "killed":
                os.kill(os.getpid(), signal.SIGKILL)
            if how == "needs memory":
                raise MemoryError("9 TB")
            if how == "hangs up":
                os.closerange(3, 2**16)  # all: in a long run of tests the socket has a number in the hundreds
                time.sleep(600)
            if how == "leaves a child":
                if (child := os.fork()) == 0:
                    time.sleep(600)
                Path(os.environ.get("CHILD", os.devnull)).write_text(str(child))
            os._exit(3) if how.startswith("leaves") else sys.exit(4)
        return self.layer(weights)[:, 0]


class Meddling(Prying):
    """Makes a baseline of the suite worse, in its process."""

    def forward(self, weights):
        metanets.baselines.np.mean = lambda *given, **options: 7.0
        metanets.METANETS["mean"] = metanets.METANETS["ridge"]
        return self.layer(weights)[:, 0]


class Lying(Prying):
    """Makes its process answer what is no prediction: what stands in the file that LIE names."""

    def forward(self, weights):
        from benchmark.scoring.fit import Fits

        Fits.predict = lambda *given, **options: json.loads(Path(os.environ["LIE"]).read_text())
        return self.layer(weights)[:, 0]


class Babbling(Prying):
    """Makes its process answer what is no answer, once."""

    def forward(self, weights):
        from benchmark.scoring import fitter

        def babble(*given):
            fitter._answer = honest
            return Path(os.environ["LIE"]).read_bytes()

        honest = getattr(fitter._answer, "honest", fitter._answer)
        babble.honest = honest
        fitter._answer = babble
        return self.layer(weights)[:, 0]
