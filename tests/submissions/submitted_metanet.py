"""A metanet as a stranger submits it, for the tests of running it again; what it does besides says a file beside it."""

import os
import time
from pathlib import Path

import torch
from torch import nn

HERE = Path(__file__).parent


class Mine(nn.Module):
    def __init__(self, weights: int) -> None:
        super().__init__()
        self.layer = nn.Linear(weights, 1)
        if (HERE / "note").exists():
            told = [*os.environ, *map(str, Path.home().iterdir()), f"HOME is {Path.home()}"]
            (HERE / "note").write_text("\n".join(told))
            print("of a stranger")
        if (HERE / "sleep").exists():
            time.sleep(600)
        if (HERE / "bomb").exists():
            self.more = torch.ones(2**30)
        if (HERE / "lie").exists():
            raise RuntimeError("first\nsecond")

    def forward(self, weights):
        return self.layer(weights)[:, 0]
