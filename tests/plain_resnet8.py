"""ResNet8 as anyone would write it in PyTorch: the reference that the many-at-once version must equal."""

import torch.nn.functional as F
from torch import Tensor, nn


class Activation(nn.Module):
    """ReLU, or x * sigmoid(F x) with a fixed matrix."""

    def __init__(self, matrix: Tensor | None) -> None:
        super().__init__()
        self.matrix = matrix

    def forward(self, x: Tensor) -> Tensor:
        if self.matrix is None:
            return F.relu(x)
        return x * F.conv2d(x, self.matrix[:, :, None, None]).sigmoid()


class Block(nn.Module):
    def __init__(self, into: int, out: int, stride: int, gates: list[Tensor | None]) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(into, out, 3, stride=stride, padding=1, bias=False)
        self.ln1 = nn.GroupNorm(1, out)
        self.conv2 = nn.Conv2d(out, out, 3, padding=1, bias=False)
        self.ln2 = nn.GroupNorm(1, out)
        self.shortcut = nn.Sequential()
        if stride != 1 or into != out:
            self.shortcut = nn.Sequential(nn.Conv2d(into, out, 1, stride=stride, bias=False), nn.GroupNorm(1, out))
        self.nonlin1, self.nonlin2 = map(Activation, gates)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.ln2(self.conv2(self.nonlin1(self.ln1(self.conv1(x)))))
        return self.nonlin2(inner + self.shortcut(x))


class PlainResNet8(nn.Module):
    def __init__(
        self, *, width: float = 1.0, channels: int = 3, classes: int = 10, gates: dict[str, Tensor] | None = None
    ) -> None:
        super().__init__()
        gate = (gates or {}).get
        c1, c2, c3 = (round(base * width) for base in (16, 32, 64))
        self.conv1 = nn.Conv2d(channels, c1, 3, padding=1, bias=False)
        self.ln1 = nn.GroupNorm(1, c1)
        self.nonlin1 = Activation(gate("nonlin1"))
        for stage, (into, out, stride) in enumerate(((c1, c1, 1), (c1, c2, 2), (c2, c3, 2)), start=1):
            places = [gate(f"layer{stage}.0.nonlin{k}") for k in (1, 2)]
            setattr(self, f"layer{stage}", nn.Sequential(Block(into, out, stride, places)))
        self.linear = nn.Linear(c3, classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.nonlin1(self.ln1(self.conv1(x)))
        x = self.layer3(self.layer2(self.layer1(x)))
        return self.linear(x.mean(dim=(2, 3)))
