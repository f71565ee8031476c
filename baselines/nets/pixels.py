"""Causal convolutions of images: numbers for each pixel that depend on those before it alone.

van den Oord et al. 2016, arXiv:1606.05328, section 2.3: a vertical stack sees the rows above, a
horizontal one the pixels to the left of its row and the vertical stack, so that no pixel before is
out of sight. Residual gates follow Salimans et al. 2017, arXiv:1701.05517, section 2.

Images are drawn row by row, pixel by pixel, from what is kept of the rows above and of the row so
far (Ramachandran et al. 2017, arXiv:1704.06001): a draw costs about one pass, not one a pixel.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional

DILATIONS = (1, 2)  # of the layers, in turns: twice the view for the same weights


class Layer(nn.Module):
    """One step of both stacks, each added to its input.

    Args:
        channels: Channels C.
        dilation: Distance of the kernels' taps.
        dropout: Share of the numbers dropped in training.
    """

    def __init__(self, channels: int, dilation: int, dropout: float) -> None:
        super().__init__()
        self.dilation = dilation
        self.down = nn.Conv2d(channels, 2 * channels, (2, 3), dilation=dilation)
        self.right = nn.Conv2d(channels, 2 * channels, (1, 2), dilation=dilation)
        self.link = nn.Conv2d(channels, 2 * channels, 1)
        self.dropout = nn.Dropout(dropout)

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Maps both stacks `(B, C, H, W)` to the same shapes."""
        d = self.dilation
        v = v + self.gate(self.down(functional.pad(functional.elu(v), (d, d, d, 0))))
        row = self.right(functional.pad(functional.elu(h), (d, 0)))
        return v, h + self.gate(row + self.link(functional.elu(v)))

    def gate(self, x: Tensor) -> Tensor:
        """Returns a sigmoid(b) of both halves of the channels."""
        a, b = x.chunk(2, dim=1)
        return self.dropout(a) * b.sigmoid()

    def row(self, v: Tensor, above: Tensor) -> Tensor:
        """Returns the vertical stack in a row `(B, C, 1, W)`.

        Args:
            v: The row of the layer below.
            above: That row's neighbour `dilation` rows above.
        """
        both = functional.elu(torch.cat([above, v], dim=2))
        d = self.dilation
        # The two rows stand side by side: the taps of the kernel are one apart here.
        padded = functional.pad(both, (d, d))
        weight, bias = self.down.weight, self.down.bias
        return v + self.gate(functional.conv2d(padded, weight, bias, dilation=(1, d)))

    def pixel(self, h: Tensor, left: Tensor, v: Tensor) -> Tensor:
        """Returns the horizontal stack in one pixel `(B, C)`.

        Args:
            h: The pixel of the layer below.
            left: Its neighbour `dilation` pixels to the left.
            v: The vertical stack of this layer in the pixel.
        """
        row = self.right.weight[:, :, 0]  # (2 C, C, 2)
        out = functional.linear(functional.elu(left), row[..., 0], self.right.bias)
        out = out + functional.linear(functional.elu(h), row[..., 1])
        link = self.link.weight.flatten(1)
        return h + self.gate(out + functional.linear(functional.elu(v), link, self.link.bias))


class CausalPixels(nn.Module):
    """Numbers for pixel (i, j) as a function of the features of the pixels before it.

    Args:
        features: Channels F of the input.
        outputs: Channels P of the output.
        channels: Channels of the stacks.
        layers: Layers.
        dropout: Share of the numbers dropped in training.
    """

    def __init__(
        self, features: int, outputs: int, channels: int, layers: int, dropout: float = 0.0
    ) -> None:
        super().__init__()
        # A channel of ones tells the edge of the image from a pixel of value zero.
        self.above = nn.Conv2d(features + 1, channels, (2, 3))
        self.left = nn.Conv2d(features + 1, channels, (1, 2))
        self.layers = nn.ModuleList(
            Layer(channels, DILATIONS[i % len(DILATIONS)], dropout) for i in range(layers)
        )
        self.head = nn.Conv2d(channels, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Maps features `(B, F, H, W)` to numbers `(B, P, H, W)`."""
        x = functional.pad(x, (0, 0, 0, 0, 0, 1), value=1.0)
        v = self.above(functional.pad(x, (1, 1, 2, 0))[:, :, :-1])
        h = self.left(functional.pad(x, (2, 0))[..., :-1])
        for layer in self.layers:
            v, h = layer(v, h)
        return self.head(functional.elu(h))

    @torch.no_grad()
    def draw(self, n: int, size: Sequence[int], choose: Callable[[Tensor, int], Tensor]) -> None:
        """Visits all pixels in order.

        Args:
            n: Number of images.
            size: Height and width.
            choose: Takes the numbers of a pixel, `(n, P)`, and its index; returns the features of
                what it chose, `(n, F)`.
        """
        (H, W), weight = size, self.head.weight
        empty = weight.new_zeros(n, self.above.in_channels, 1, W)
        rows = deque([empty, empty], maxlen=2)  # of the input
        kept = [deque([self._blank(n, W)] * layer.dilation) for layer in self._stack]
        for i in range(H):
            vertical = self._rows(rows, kept)
            rows.append(self._row(i * W, vertical, choose))

    @property
    def _stack(self) -> list[Layer]:
        return [layer for layer in self.layers if isinstance(layer, Layer)]

    def _blank(self, n: int, width: int) -> Tensor:
        return self.head.weight.new_zeros(n, self.above.out_channels, 1, width)

    def _rows(self, rows: deque[Tensor], kept: list[deque[Tensor]]) -> list[Tensor]:
        """Returns the vertical stack after each layer, `(n, C, 1, W)`, in the next row."""
        v = self.above(functional.pad(torch.cat(list(rows), dim=2), (1, 1)))
        found = []
        for layer, past in zip(self._stack, kept, strict=True):
            above = past.popleft()
            past.append(v)
            v = layer.row(v, above)
            found.append(v)
        return found

    def _row(
        self, start: int, vertical: list[Tensor], choose: Callable[[Tensor, int], Tensor]
    ) -> Tensor:
        """Chooses the pixels of a row; returns their features, `(n, F + 1, 1, W)`."""
        n, C, _, W = vertical[0].shape
        blank = vertical[0].new_zeros(n, C)
        pixels = [vertical[0].new_zeros(n, self.left.in_channels)] * 2
        kept = [deque([blank] * layer.dilation) for layer in self._stack]
        taps = self.left.weight[:, :, 0]
        head = self.head.weight.flatten(1)
        for j in range(W):
            h = functional.linear(pixels[-2], taps[..., 0], self.left.bias)
            h = h + functional.linear(pixels[-1], taps[..., 1])
            for layer, past, v in zip(self._stack, kept, vertical, strict=True):
                left = past.popleft()
                past.append(h)
                h = layer.pixel(h, left, v[:, :, 0, j])
            numbers = functional.linear(functional.elu(h), head, self.head.bias)
            pixels.append(functional.pad(choose(numbers, start + j), (0, 1), value=1.0))
        return torch.stack(pixels[2:], dim=2).unsqueeze(2)
