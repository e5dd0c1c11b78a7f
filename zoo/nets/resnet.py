"""ResNet8, written for many nets at once: its layout, and the forward pass with the net as the first axis.

The net of Lim et al. 2024 (arXiv 2405.20231): GroupNorm with one group, convolutions without bias, no running
statistics, so that a net is its parameters and nothing else.
"""

import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from zoo.nets.layout import Layout, Shapes, Taps, from_shapes, shapes_in

STAGES = ((16, 1), (32, 2), (64, 2))  # output channels at width 1, stride of the first convolution


def layout(*, width: float, channels: int, classes: int, pixels: int | None = None) -> Layout:
    """The 29 tensors of a ResNet8 in the paper's order and names; 78,042 scalars for width 1, 3 channels, 10 classes.

    `width` multiplies the channels of every stage, rounded. Channel spaces: P0, P1, P2 are the residual streams,
    I1, I2, I3 the inside of each block. It is the same for any number of `pixels`.
    """
    first, *_ = outs = [round(base * width) for base, _ in STAGES]
    tensors: list[tuple[str, tuple[int, ...], str, tuple[str | None, ...]]] = []

    def conv(name: str, out: int, into: int, kernel: int, spaces: tuple[str, str | None], norm: str) -> None:
        tensors.append((f"{name}.weight", (out, into, kernel, kernel), "conv", (*spaces, None, None)))
        tensors.append((f"{norm}.weight", (out,), "scale", spaces[:1]))
        tensors.append((f"{norm}.bias", (out,), "shift", spaces[:1]))

    conv("conv1", first, channels, 3, ("P0", None), "ln1")
    into, stream = first, "P0"
    for stage, out in enumerate(outs, start=1):
        block, inside = f"layer{stage}.0", f"I{stage}"
        after = stream if stage == 1 else f"P{stage - 1}"
        conv(f"{block}.conv1", out, into, 3, (inside, stream), f"{block}.ln1")
        conv(f"{block}.conv2", out, out, 3, (after, inside), f"{block}.ln2")
        if stage > 1:
            conv(f"{block}.shortcut.0", out, into, 1, (after, stream), f"{block}.shortcut.1")
        into, stream = out, after
    tensors.append(("linear.weight", (classes, into), "linear", (None, stream)))
    tensors.append(("linear.bias", (classes,), "bias", (None,)))
    return from_shapes(tensors)


def like(shapes: Shapes) -> Layout | None:
    """The layout of a ResNet8 that has exactly these tensors, of whatever width, channels and classes; None without one."""
    ends = [shapes.get(f"{name}.weight", ()) for name in ("conv1", "layer2.0.conv1", "layer3.0.conv1", "linear")]
    if [len(end) for end in ends] != [4, 4, 4, 2]:
        return None
    bases = [base for base, _ in STAGES]
    low = max((end[0] - 0.5) / base for end, base in zip(ends[:3], bases, strict=True))
    high = min((end[0] + 0.5) / base for end, base in zip(ends[:3], bases, strict=True))
    for width in (ends[2][0] / bases[2], (low + high) / 2):  # a plain number where one fits
        if width > 0:
            found = layout(width=width, channels=ends[0][1], classes=ends[3][0])
            if shapes_in(found) == shapes:
                return found
    return None


def gates(*, width: float) -> dict[str, int]:
    """The channels of each of the 7 nonlinearities, by name: where a sigma-asymmetric net has its fixed matrices."""
    outs = [round(base * width) for base, _ in STAGES]
    inside = {f"layer{i}.0.nonlin{k}": out for i, out in enumerate(outs, start=1) for k in (1, 2)}
    return {"nonlin1": outs[0], **inside}


def with_gates(layout: Layout) -> Layout:
    """The layout of nets of which each has its own fixed matrices: one more tensor, `PLACE.F_mat`, for each nonlinearity.

    A matrix has the channel space of its place on both axes. As it is not trained, it leaves that space no symmetry.
    """
    convs = {entry.name.removesuffix(".weight"): entry for entry in layout if entry.role == "conv"}
    tensors = [(entry.name, entry.shape, entry.role, entry.axes) for entry in layout]
    for place in gates(width=1.0):
        conv = convs[place.replace("nonlin", "conv")]  # whose norm's output it gets
        tensors.append((f"{place}.F_mat", conv.shape[:1] * 2, "gate", conv.axes[:1] * 2))
    return from_shapes(tensors)


def forward(
    weights: dict[str, Float[Tensor, "net ..."]],
    images: Float[Tensor, "net image channel height width"],
    gate: dict[str, Float[Tensor, "_ _"]] | None = None,
    taps: Taps | None = None,
) -> Float[Tensor, "net image cls"]:
    """The logits of each net on its own images.

    The nets run as groups of one convolution (activations are [image, net * channel, height, width]), which on a
    CPU is several times faster than one net at a time when nets are small, and the plain convolution for one net.
    `gate` replaces ReLU(x) by x * sigmoid(F x) with the fixed matrix of that place (sigma-asymmetric nets); so do matrices
    among the weights (`with_gates`), of each net its own. `taps` gets what comes out of each nonlinearity, under its
    channel space.
    """
    nets = len(images)

    def conv_norm(x: Tensor, conv: str, norm: str, stride: int = 1) -> Tensor:
        kernels = weights[f"{conv}.weight"]
        x = F.conv2d(x, kernels.flatten(0, 1), stride=stride, padding=kernels.shape[-1] // 2, groups=nets)
        return F.group_norm(x, nets, weights[f"{norm}.weight"].flatten(), weights[f"{norm}.bias"].flatten())

    def activate(x: Tensor, place: str, space: str) -> Tensor:
        own = weights.get(f"{place}.F_mat")  # net out in
        if gate is not None:
            own = gate[place].expand(nets, -1, -1)
        x = F.relu(x) if own is None else x * F.conv2d(x, own.flatten(0, 1)[:, :, None, None], groups=nets).sigmoid()
        if taps is not None:  # net channel image*height*width
            taps.setdefault(space, []).append(x.unflatten(1, (nets, -1)).permute(1, 2, 0, 3, 4).flatten(2))
        return x

    x = images.transpose(0, 1).flatten(1, 2)  # image net*channel height width
    x = activate(conv_norm(x, "conv1", "ln1"), "nonlin1", "P0")
    for stage, (_, stride) in enumerate(STAGES, start=1):
        block = f"layer{stage}.0"
        inner = activate(conv_norm(x, f"{block}.conv1", f"{block}.ln1", stride), f"{block}.nonlin1", f"I{stage}")
        inner = conv_norm(inner, f"{block}.conv2", f"{block}.ln2")
        if stage > 1:
            x = conv_norm(x, f"{block}.shortcut.0", f"{block}.shortcut.1", stride)
        x = activate(inner + x, f"{block}.nonlin2", f"P{stage - 1}")
    pooled = x.mean(dim=(2, 3)).unflatten(1, (nets, -1)).transpose(0, 1)  # net image channel
    return pooled @ weights["linear.weight"].mT + weights["linear.bias"].unsqueeze(1)
