"""One reader of images: what it takes, what it converts, what it leaves out and says so."""

import os
from collections import Counter
from io import BytesIO

import numpy as np
import pytest
from dgmbench.benchmark.tasks.images.by_name import shuffled_split
from dgmbench.benchmark.tasks.readers.decode import folder_pixels, image_files, open_image
from PIL import Image


def encoded(array, mode=None, kind="PNG", **options):
    out = BytesIO()
    image = array if isinstance(array, Image.Image) else Image.fromarray(array, mode)
    image.save(out, kind, **options)
    return out.getvalue()


def opened(data):
    done = Counter()
    return np.asarray(open_image(data, "here", done)), list(done)


def test_sixteen_bits_become_eight():
    values = np.array([[0, 257 * 127], [257 * 128, 65535]], dtype=np.uint16)
    found, done = opened(encoded(Image.fromarray(values)))
    assert found.tolist() == [[0, 127], [128, 255]]
    assert "16 bits" in done[0]


@pytest.mark.parametrize("grey", [True, False])
def test_transparency_is_laid_over_white(grey):
    rgba = np.zeros((2, 2, 4), dtype=np.uint8)
    rgba[0, :, 3], rgba[1] = 255, (10, 10 if grey else 200, 10, 255)
    rgba[1, 1, 3] = 0
    found, done = opened(encoded(rgba))
    assert found.shape == ((2, 2) if grey else (2, 2, 3))
    assert found[0, 0].max() == 0 and found[1, 1].min() == 255
    assert "white" in done[0]


def test_opaque_pictures_with_an_alpha_are_taken_as_they_are():
    rgba = np.full((2, 2, 4), 255, dtype=np.uint8)
    assert opened(encoded(rgba))[1] == []


def test_a_transparent_colour_of_a_palette_is_white():
    image = Image.new("P", (2, 2))
    image.putpalette([0, 0, 0, 255, 0, 0] + [0] * 750)
    image.putpixel((0, 0), 1)
    found, _ = opened(encoded(image, transparency=0))
    assert found[0, 0].tolist() == [255, 0, 0] and found[1, 1].tolist() == [255, 255, 255]


def test_pictures_are_turned_upright():
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    row = np.array([[0, 255, 255]], dtype=np.uint8)
    found, done = opened(encoded(row, exif=exif))
    assert found.shape == (3, 1)
    assert "EXIF" in done[0]


def test_animations_are_refused():
    frames = [Image.new("L", (2, 2), k) for k in (0, 255)]
    data = encoded(frames[0], kind="GIF", save_all=True, append_images=frames[1:])
    with pytest.raises(ValueError, match="one picture at here, got an animation"):
        opened(data)


def test_bombs_are_refused_by_their_header():
    data = bytearray(encoded(np.zeros((1, 1), dtype=np.uint8)))
    data[16:24] = (60_000).to_bytes(4, "big") * 2
    with pytest.raises(ValueError, match=r"at most \d+ pixels|corrupt"):
        opened(bytes(data))


def write(folder, name, value=0, size=(4, 4)):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(encoded(np.full(size, value, dtype=np.uint8)))


def test_folders_are_read_whole_without_what_is_hidden(tmp_path, capsys):
    data, other = tmp_path / "data", tmp_path / "other"
    write(data, "b.png", 1)
    write(data, "deep/er/a.PNG", 2)
    write(data, ".ipynb_checkpoints/b.png", 3)
    write(data, ".hidden.png", 4)
    write(other, "c.png", 5)
    (data / "notes.txt").write_text("x")
    os.symlink(other, data / "linked")
    os.symlink(data, data / "round")
    assert [p.name for p in image_files(data)] == ["b.png", "a.PNG", "c.png"]
    assert "1 files in" in capsys.readouterr().err
    assert sorted(folder_pixels(data)[:, 0, 0, 0].tolist()) == [1, 2, 5]


def test_copies_are_left_out_before_the_split(capsys):
    images = np.arange(40, dtype=np.uint8).repeat(2)[:, None, None, None] * np.ones(
        (1, 1, 2, 2), np.uint8
    )
    parts = shuffled_split(images)
    found = np.concatenate([part[:, 0, 0, 0] for part in parts.values()])
    assert sorted(found.tolist()) == list(range(40))
    assert "40 of 80 images are copies" in capsys.readouterr().err
