"""EfficientNet-Lite0 as a feature pyramid: plain convolutions, the batch norms folded into them.

Folding keeps the function and frees training and inference on a CPU from a third of the memory traffic; the norms would be
frozen anyway, since a batch of a few pages tells nothing about statistics.
"""

from __future__ import annotations

from collections import OrderedDict

import torch
from torch import Tensor, nn
from torchvision.ops import FeaturePyramidNetwork
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from comix.models.efficientnet import EfficientNetLite0

TAPS = {8: 40, 14: 112, 19: 320}
"""Where features are taken: number of layers before it, and channels; strides 8, 16 and 32."""


class PyramidLite0(nn.Module):
    """Pixels ``(n, 3, h, w)`` to maps of strides 8, 16, 32 and 64, each ``(n, channels, h / stride, w / stride)``.

    Args:
        channels: of every map.
        n_frozen: layers of the backbone that do not learn, counted from the stem; 0 for none.
    """

    def __init__(self, channels: int, n_frozen: int = 0) -> None:
        super().__init__()
        self.layers = folded(EfficientNetLite0()).layers[: max(TAPS)]
        self.n_frozen = n_frozen
        self.pyramid = FeaturePyramidNetwork(list(TAPS.values()), channels, LastLevelMaxPool())
        self.out_channels = channels
        for parameter in self.layers[:n_frozen].parameters():
            parameter.requires_grad = False

    def forward(self, pixels: Tensor) -> OrderedDict[str, Tensor]:
        """``(n, 3, h, w)`` to maps named "0" (stride 8), "1", "2" and "pool" (stride 64)."""
        taken: OrderedDict[str, Tensor] = OrderedDict()
        with torch.set_grad_enabled(self.n_frozen == 0 and torch.is_grad_enabled()):
            values = pixels
            for number, layer in enumerate(self.layers[: self.n_frozen], 1):
                values = layer(values)
                if number in TAPS:
                    taken[str(len(taken))] = values
        for number, layer in enumerate(self.layers[self.n_frozen :], self.n_frozen + 1):
            values = layer(values)
            if number in TAPS:
                taken[str(len(taken))] = values
        maps: OrderedDict[str, Tensor] = self.pyramid(taken)
        return maps

    def take(self, weights: dict[str, Tensor]) -> None:
        """Start from ImageNet weights, see `EfficientNetLite0.take`."""
        network = EfficientNetLite0()
        network.take(weights)
        self.layers.load_state_dict(folded(network).layers[: max(TAPS)].state_dict())


def folded(network: EfficientNetLite0) -> EfficientNetLite0:
    """The same function with every batch norm folded into the convolution before it; changes ``network``."""
    for parent in [one for one in network.modules() if isinstance(one, nn.Sequential)]:
        for place in range(len(parent) - 1):
            convolution, norm = parent[place], parent[place + 1]
            if isinstance(convolution, nn.Conv2d) and isinstance(norm, nn.BatchNorm2d):
                _fold(convolution, norm)
                parent[place + 1] = nn.Identity()
        for place, layer in enumerate(parent):
            if isinstance(layer, nn.ReLU6):
                parent[place] = nn.ReLU6(inplace=True)
    return network


def _fold(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> None:
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ValueError("a batch norm without statistics cannot be folded")
    with torch.no_grad():
        factor = norm.weight / torch.sqrt(variance + norm.eps)
        convolution.weight.mul_(factor[:, None, None, None])
        convolution.bias = nn.Parameter(norm.bias - mean * factor)
