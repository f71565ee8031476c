"""Trains the network of `mnist_cnn` and writes its weights: a few minutes on a CPU.

python -m dgmbench.metrics.features.train_mnist_cnn DATA_ROOT

DATA_ROOT/mnist has train.parquet and test.parquet with columns `image` (PNG) and `label`. The
first 50,000 training images are learnt, shifted by up to two pixels; the last 10,000 and the test
images are never seen. Soft targets and a layer norm keep the features of strange images in bounds.
"""

from __future__ import annotations

import sys
from io import BytesIO
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torch import Tensor, nn

from .mnist_cnn import WEIGHTS, MNISTNetwork, to_unit

EPOCHS, BATCH, LR, SHIFT, SEED = 8, 128, 2e-3, 2, 0


def read(path: Path) -> tuple[Tensor, Tensor]:
    """Returns the images `(N, 1, 28, 28)` uint8 and labels `(N,)` of a Parquet file."""
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    encoded = table["image"].combine_chunks().field("bytes").to_pylist()
    images = np.stack([np.asarray(Image.open(BytesIO(data))) for data in encoded])
    return torch.from_numpy(images)[:, None], torch.tensor(table["label"].to_pylist())


def shifted(x: Tensor) -> Tensor:
    """Returns the batch moved by a random whole number of pixels, the same for all its images."""
    rows, columns = torch.randint(-SHIFT, SHIFT + 1, (2,)).tolist()
    return x.roll((rows, columns), dims=(2, 3))  # the border of MNIST is empty


def train(images: Tensor, labels: Tensor) -> MNISTNetwork:
    """Returns the network after `EPOCHS` passes, the learning rate annealed by a half cosine."""
    net = MNISTNetwork()
    optimizer = torch.optim.AdamW(net.parameters(), lr=LR, weight_decay=1e-2)
    steps = EPOCHS * (len(images) // BATCH)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    loss_of = nn.CrossEntropyLoss(label_smoothing=0.05)
    for epoch in range(EPOCHS):
        order = torch.randperm(len(images))
        for index in order[: len(order) // BATCH * BATCH].split(BATCH):
            x = shifted(to_unit(images[index]))
            loss = loss_of(net.head(net(x)), labels[index])
            optimizer.zero_grad(set_to_none=True)
            loss.backward()
            optimizer.step()
            schedule.step()
        print(f"epoch {epoch + 1} of {EPOCHS}: loss {loss.item():.3f}", flush=True)
    return net.eval()


@torch.no_grad()
def accuracy(net: MNISTNetwork, images: Tensor, labels: Tensor) -> float:
    """Returns the share of images whose most probable class is their label."""
    guess = torch.cat([net.head(net(to_unit(x))).argmax(1) for x in images.split(1000)])
    return float((guess == labels).float().mean())


def main() -> None:
    """Trains, says how good the network is, and writes the weights."""
    root = Path(sys.argv[1]) / "mnist"
    images, labels = read(root / "train.parquet")
    torch.manual_seed(SEED)
    net = train(images[:50_000], labels[:50_000])
    print(f"accuracy on the last 10,000: {accuracy(net, images[50_000:], labels[50_000:]):.4f}")
    print(f"accuracy on the test images: {accuracy(net, *read(root / 'test.parquet')):.4f}")
    save_file(net.state_dict(), WEIGHTS)


if __name__ == "__main__":
    main()
