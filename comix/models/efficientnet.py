"""EfficientNet-Lite0, pooled features: plain torch, so that a picture query need not wait for timm to start.

Source: https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite and M. Tan, Q. Le, "EfficientNet:
Rethinking Model Scaling for Convolutional Neural Networks", 2019. Equals timm's ``tf_efficientnet_lite0`` (a test compares).
"""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn

_STAGES = (  # blocks, channels, kernel, stride of the first block, expansion
    (1, 16, 3, 1, 1), (2, 24, 3, 2, 6), (2, 40, 5, 2, 6), (3, 80, 3, 2, 6), (3, 112, 5, 1, 6),
    (4, 192, 5, 2, 6), (1, 320, 3, 1, 6),
)  # fmt: skip
_EPSILON = 1e-3
"""Of the batch norms: TensorFlow's, whose weights these are."""


class EfficientNetLite0(nn.Module):
    """Pixels ``(n, 3, s, s)``, red green blue, ``(value - 127) / 128``, to features ``(n, 1280)``."""

    def __init__(self) -> None:
        super().__init__()
        layers = _convolution(3, 32, 3, 2)
        width = 32
        for n_blocks, channels, kernel, stride, expansion in _STAGES:
            for number in range(n_blocks):
                layers.append(_Block(width, channels, kernel, 1 if number else stride, expansion))
                width = channels
        self.layers = nn.Sequential(*layers, *_convolution(width, 1280), nn.AdaptiveAvgPool2d(1), nn.Flatten())

    def forward(self, pixels: Tensor) -> Tensor:
        """``(n, 3, s, s)`` to ``(n, 1280)``."""
        features: Tensor = self.layers(pixels)
        return features

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Take over weights by their order: names differ, shapes and outputs agree; the classifier's two are left out.

        Raises:
            ValueError: another number of weights.
        """
        theirs = [value for name, value in weights.items() if not name.endswith("num_batches_tracked")][:-2]
        ours = [name for name in self.state_dict() if not name.endswith("num_batches_tracked")]
        self.load_state_dict(dict(zip(ours, theirs, strict=True)), strict=False)


class _Same(nn.Conv2d):
    """Convolution padded as TensorFlow does: the odd pixel goes to the right and the bottom."""

    def forward(self, pixels: Tensor) -> Tensor:
        kernel, stride = self.kernel_size[0], self.stride[0]
        high, wide = (max((-(-size // stride) - 1) * stride + kernel - size, 0) for size in pixels.shape[-2:])
        return super().forward(nn.functional.pad(pixels, [wide // 2, wide - wide // 2, high // 2, high - high // 2]))


class _Block(nn.Module):
    """Widen, look around per channel, narrow; what comes in is added where the shape stays."""

    def __init__(self, n_in: int, n_out: int, kernel: int, stride: int, expansion: int) -> None:
        super().__init__()
        wide = n_in * expansion
        first = _convolution(n_in, wide) if expansion > 1 else []
        self.layers = nn.Sequential(*first, *_convolution(wide, wide, kernel, stride, wide), *_convolution(wide, n_out)[:-1])
        self.adds = stride == 1 and n_in == n_out

    def forward(self, values: Tensor) -> Tensor:
        out: Tensor = self.layers(values)
        return values + out if self.adds else out


def _convolution(n_in: int, n_out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> list[nn.Module]:
    return [
        _Same(n_in, n_out, kernel, stride, groups=groups, bias=False), nn.BatchNorm2d(n_out, eps=_EPSILON), nn.ReLU6(),
    ]  # fmt: skip
