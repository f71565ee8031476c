"""Cards of the image sets that come as Parquet files."""

from __future__ import annotations

from ...contract.task import Card

OTHER_WRITERS = (
    "Test has other writers than train and the held-out rows, so the oracle's distances are a "
    "little above 0 (0.0017 +- 0.0002 for the MMD of 2,000 images of `mnist` as pixels)."
)
MNIST = Card(
    summary="A handwritten digit, 28x28 pixels of 256 levels of grey.",
    source="ylecun/mnist on the Hugging Face hub",
    licence="CC BY-SA 3.0, as commonly stated",
    citation="LeCun, Bottou, Bengio & Haffner 1998, Proceedings of the IEEE 86",
    pitfalls="Train is the first 50,000 images; of the other 10,000 half are val and half held "
    f"out for the oracle. {OTHER_WRITERS} Bits per dimension are of the 256 levels, not of "
    "binarised pixels. The Frechet distance is in features of a small network of our own and "
    "compares with no published one.",
)
FASHION = Card(
    summary="A piece of clothing, 28x28 pixels of 256 levels of grey.",
    source="zalando-datasets/fashion_mnist on the Hugging Face hub",
    licence="MIT",
    citation="Xiao, Rasul & Vollgraf 2017, arXiv:1708.07747",
    pitfalls="Train is the first 50,000 images; of the other 10,000 half are val and half held "
    "out for the oracle. Distances are between raw pixels.",
)
CIFAR10 = Card(
    summary="A small photograph of one of ten classes, 32x32 RGB pixels of 256 levels.",
    source="uoft-cs/cifar10 on the Hugging Face hub",
    licence="none stated; citation asked for",
    citation="Krizhevsky 2009, Learning Multiple Layers of Features from Tiny Images",
    pitfalls="Train is the first 40,000 images in the files' order; 5,000 are val, 5,000 held "
    "out. Published Frechet distances use all 50,000 training images as reference. About 3 % of "
    "the test images have near-duplicates in train (Barz & Denzler 2020, arXiv:1902.00423).",
)
CIFAR10_20K = Card(
    summary=CIFAR10.summary,
    source="data_batch_1 and test_batch of CIFAR-10",
    licence=CIFAR10.licence,
    citation=CIFAR10.citation,
    pitfalls="A part of CIFAR-10: 8,000 images to train on, 1,000 val, 1,000 held out. Its "
    "numbers compare with none of the 50,000.",
)
CELEBA = Card(
    summary="A celebrity's face, the central 140x140 square resized to 64x64 RGB pixels.",
    source="flwrlabs/celeba on the Hugging Face hub",
    licence="non-commercial research only; must not be passed on",
    citation="Liu, Luo, Wang & Tang 2015, arXiv:1411.7766",
    pitfalls="Crops of 108, 140, 148 and 178 pixels are all in use: distances differ by the crop. "
    "Val and test are other people than train and the held-out rows.",
)
