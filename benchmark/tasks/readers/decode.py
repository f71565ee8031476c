"""From encoded pictures (Parquet files of the `datasets` library, folders) to arrays of pixels."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from io import BytesIO
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from ...contract.files import tell
from . import png
from .data_root import damaged
from .quiet import critical_logs_only

Pixels = NDArray[np.uint8]
SUFFIXES = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff"}
GREY = {"1", "L"}
ORIENTATION = 0x0112  # of EXIF
MOST_PIXELS = 2**25  # of one image: 32 million, a bomb unpacks to more
UNREADABLE = (
    UnidentifiedImageError,
    Image.DecompressionBombError,
    OSError,
    SyntaxError,
    ValueError,
)  # what Pillow says of files that are no images


def parquet_pixels(path: Path, crop: int | None = None, side: int | None = None) -> Pixels:
    """Returns the images of a Parquet file as `datasets` writes it.

    Args:
        path: The file; its images are in the column `image` or `img`.
        crop: Side of the central square that is kept, before resizing.
        side: Side that the square is resized to; None keeps the images as they are.

    Returns:
        Shape `(N, C, H, W)`.

    Raises:
        ValueError: The file cannot be read, has no such column, or its images differ in size.
    """
    encoded = []
    for i, data in enumerate(_parquet_bytes(path)):
        if data is None:
            raise ValueError(f"Expected an image at row {i} of {path}, got none.")
        encoded.append(data)
    return pixels(encoded, lambda i: f"row {i} of {path}", crop, side)


def _parquet_bytes(path: Path) -> Iterator[bytes | None]:
    """Yields the encoded images of a Parquet file; None where a row holds no image."""
    import datasets  # takes a second to import, and only the first load of a set needs it
    import pyarrow

    try:
        with critical_logs_only("datasets"):
            rows = datasets.load_dataset(
                "parquet", data_files={"train": str(path)}, split="train", streaming=True
            )
            names = rows.column_names or []
            column = next((name for name in ("image", "img") if name in names), None)
            if column is None:
                raise ValueError(f"Expected a column 'image' or 'img' in {path}, got {names}.")
            plain = rows.cast_column(column, datasets.Image(decode=False)).with_format("arrow")
            for table in plain.iter(4096):
                yield from table[column].combine_chunks().field("bytes").to_pylist()
    except (pyarrow.ArrowException, datasets.exceptions.DatasetsError, OSError) as error:
        raise damaged("a whole Parquet file", path, error) from error


def folder_pixels(folder: Path) -> Pixels:
    """Returns the images of a folder and the folders in it, sorted by path: `(N, C, H, W)`.

    Raises:
        ValueError: The folder is missing or has no images; one is corrupt or of another size.
    """
    paths = image_files(folder)
    return pixels([path.read_bytes() for path in paths], lambda i: str(paths[i]))


def image_files(folder: Path) -> list[Path]:
    """Returns the image files in a folder and the folders in it, sorted by path.

    Links to folders are followed, hidden files and folders (`.ipynb_checkpoints`) are not read,
    and files of other types are told on stderr.

    Raises:
        ValueError: The folder is missing or has no images.
    """
    if not folder.is_dir():
        raise ValueError(f"Expected a folder of images, got {folder}, which is no folder.")
    paths, others, seen = [], 0, set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        hidden = {name for name in (*folders, *names) if name.startswith(".")}
        # A link that leads back would be walked for ever.
        folders[:] = [] if real in seen else sorted(set(folders) - hidden)
        found = [] if real in seen else [Path(place) / n for n in names if n not in hidden]
        seen.add(real)
        images = [p for p in found if p.suffix.lower() in SUFFIXES and p.is_file()]
        paths += images
        others += len(found) - len(images)
    if not paths:
        raise ValueError(f"Expected images ({', '.join(sorted(SUFFIXES))}) in {folder}, got none.")
    if others:
        tell(f"{others} files in {folder} are of another type than an image and are left out.")
    return sorted(paths)


def pixels(
    encoded: Sequence[bytes],
    where: Callable[[int], str],
    crop: int | None = None,
    side: int | None = None,
) -> Pixels:
    """Returns the pixels of encoded images of one size: grey where all are grey, else RGB.

    Args:
        encoded: Contents of image files.
        where: Names the i-th image for messages.
        crop: See `parquet_pixels`.
        side: See `parquet_pixels`.

    Raises:
        ValueError: An image is corrupt, or of another size than the first.
    """
    if not encoded:
        raise ValueError("Expected at least one image, got none.")
    fast = png.decode(encoded) if side is None else None
    if fast is not None:
        return np.ascontiguousarray(fast.transpose(0, 3, 1, 2))
    done: Counter[str] = Counter()
    images = [open_image(data, where(i), done) for i, data in enumerate(encoded)]
    for what, count in done.items():
        tell(f"{count} of {len(images)} images {what}.")
    if side is not None:
        images = [square(image, crop, side) for image in images]
    for i, image in enumerate(images):
        if image.size != images[0].size:
            raise ValueError(
                f"Expected images of one size, got {_size(images[0])} at {where(0)} and "
                f"{_size(image)} at {where(i)}."
            )
    if all(image.mode == "L" for image in images):
        return np.stack([np.asarray(image) for image in images])[:, None]
    rgb = np.stack([np.asarray(image.convert("RGB")) for image in images])
    return np.ascontiguousarray(rgb.transpose(0, 3, 1, 2))


def open_image(data: bytes, name: str, done: Counter[str]) -> Image.Image:
    """Returns one image of 8 bits, grey ("L") or colour ("RGB"), upright and opaque.

    Args:
        data: Content of its file.
        name: Names it in messages.
        done: Gains what was done to it, in words that follow "images".

    Raises:
        ValueError: It is corrupt, far too large, of several pictures, or of real numbers.
    """
    try:
        image: Image.Image = Image.open(BytesIO(data))
        if getattr(image, "n_frames", 1) > 1:
            raise ValueError(f"Expected one picture at {name}, got an animation or several pages.")
        if image.width * image.height > MOST_PIXELS:
            raise ValueError(
                f"Expected an image of at most {MOST_PIXELS} pixels at {name}, got {_size(image)}."
            )
        image.load()
    except ValueError as error:
        if str(error).startswith("Expected"):
            raise
        raise ValueError(f"Expected an image at {name}, got a corrupt one.") from error
    except UNREADABLE as error:
        raise ValueError(f"Expected an image at {name}, got a corrupt one.") from error
    if image.getexif().get(ORIENTATION, 1) != 1:
        image = ImageOps.exif_transpose(image)
        done["were turned upright as their EXIF data say"] += 1
    if image.mode.startswith("I"):
        done["have 16 bits, of which the upper 8 are kept"] += 1
        image = _eight_bits(image, name)
    if image.mode.startswith("F"):
        raise ValueError(f"Expected an image of 8 or 16 bits at {name}, got real numbers.")
    if image.mode in ("RGBA", "LA", "PA", "La", "RGBa") or "transparency" in image.info:
        image = image.convert("RGBA")
        if np.asarray(image)[..., 3].min() < 255:
            done["have transparent pixels, which were laid over white"] += 1
        white = Image.new("RGBA", image.size, "white")
        grey = _is_grey(image)
        image = Image.alpha_composite(white, image).convert("L" if grey else "RGB")
    return image.convert("L" if image.mode in GREY else "RGB")


def _eight_bits(image: Image.Image, name: str) -> Image.Image:
    """A picture of 16 bits as one of 8: 65535 becomes 255."""
    values = np.asarray(image).astype(np.int64)
    if values.min() < 0 or values.max() > 65535:
        raise ValueError(f"Expected an image of 8 or 16 bits at {name}, got 32 bits.")
    return Image.fromarray(((values * 255 + 32767) // 65535).astype(np.uint8))


def _is_grey(image: Image.Image) -> bool:
    red, green, blue, _ = np.moveaxis(np.asarray(image), -1, 0)
    return bool((red == green).all() and (green == blue).all())


def square(image: Image.Image, crop: int | None, side: int) -> Image.Image:
    """Returns the central square of an image, resized with anti-aliasing (bicubic)."""
    edge = min(image.size) if crop is None else min(crop, *image.size)
    left, top = (image.width - edge) // 2, (image.height - edge) // 2
    box = (left, top, left + edge, top + edge)
    # `resize(box=...)` would let pixels outside of the box bleed in.
    return image.crop(box).resize((side, side), Image.Resampling.BICUBIC)


def _size(image: Image.Image) -> str:
    return f"{image.width}x{image.height}"
