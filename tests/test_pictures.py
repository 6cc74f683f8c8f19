"""Pictures from files: what is read, in which channels, and what is refused."""

import numpy as np
import pytest

from convlib.io import read_image

imageio = pytest.importorskip("imageio.v3")
tifffile = pytest.importorskip("tifffile")
PIL = pytest.importorskip("PIL.Image")

COLOURS = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
GREY = COLOURS[..., 0]


@pytest.mark.parametrize("name", ["a.png", "a.TIFF"])
@pytest.mark.parametrize("image", [
    COLOURS, GREY, GREY > 99, GREY.astype(np.uint16) * 200], ids=["rgb", "grey", "bits", "wide"])
def test_pictures_come_back_as_they_were(tmp_path, name, image):
    if name == "a.TIFF":
        tifffile.imwrite(tmp_path / name, image)
    elif image.dtype == bool:
        PIL.fromarray(image).save(tmp_path / name)
    else:
        imageio.imwrite(tmp_path / name, image)
    read = read_image(tmp_path / name)
    assert read.dtype == image.dtype
    np.testing.assert_array_equal(read, image)


def test_channels_are_mixed_repeated_and_dropped(tmp_path):
    opaque = np.full((20, 30, 1), 7, np.uint8)
    stored = {"rgb": COLOURS, "rgba": np.concatenate([COLOURS, opaque], -1), "grey": GREY,
              "grey_alpha": np.stack([GREY, opaque[..., 0]], -1)}
    for name, image in stored.items():
        path = tmp_path / f"{name}.png"
        imageio.imwrite(path, image)
        grey, rgb = (read_image(path, channels=channels) for channels in ("grey", "rgb"))
        mixed = np.rint(COLOURS @ [0.299, 0.587, 0.114]) if "rgb" in name else GREY
        np.testing.assert_array_equal(grey, mixed)
        np.testing.assert_array_equal(
            rgb, COLOURS if "rgb" in name else np.stack([GREY] * 3, -1))
        assert grey.dtype == rgb.dtype == np.uint8
    with pytest.raises(ValueError, match="channels must be"):
        read_image(path, channels="gray")


def test_cmyk_and_palettes_are_colours(tmp_path):
    smooth = np.broadcast_to(np.linspace(0, 255, 30)[:, None], (20, 30, 3)).astype(np.uint8)
    PIL.fromarray(smooth).convert("CMYK").save(tmp_path / "a.jpg", quality=95)
    np.testing.assert_allclose(read_image(tmp_path / "a.jpg"), smooth, atol=4)
    PIL.fromarray(smooth).convert("P").save(tmp_path / "a.png")
    assert read_image(tmp_path / "a.png").shape == (20, 30, 3)


def test_planes_of_tiff_come_last_and_stacks_are_refused(tmp_path):
    path = tmp_path / "a.tif"
    tifffile.imwrite(path, np.moveaxis(COLOURS, -1, 0), photometric="rgb",
                     planarconfig="separate")
    np.testing.assert_array_equal(read_image(path), COLOURS)
    tifffile.imwrite(path, np.zeros((5, 20, 30), np.float32))
    with pytest.raises(ValueError, match=r"a\.tif cannot be read as a picture: it has axes"):
        read_image(path)


def test_broken_files_are_named(tmp_path):
    for name in ("a.png", "a.jpg", "a.tif"):
        imageio.imwrite(tmp_path / name, COLOURS)
        whole = (tmp_path / name).read_bytes()
        for kind, content in (("half", whole[:len(whole) // 2]), ("empty", b""), ("text", b"hi")):
            path = tmp_path / f"{kind}_{name}"
            path.write_bytes(content)
            with pytest.raises(ValueError, match=f"{kind}_{name} cannot be read as a picture"):
                read_image(path)
    with pytest.raises(FileNotFoundError):
        read_image(tmp_path / "nowhere.png")


def test_bombs_are_refused_before_memory_is_taken(tmp_path, monkeypatch):
    for name in ("a.png", "a.tif"):
        imageio.imwrite(tmp_path / name, COLOURS)    # of 600 pixels
    monkeypatch.setattr(PIL, "MAX_IMAGE_PIXELS", 299)
    for name in ("a.png", "a.tif"):
        with pytest.raises(ValueError, match=r"600 pixels.*decompression bomb"):
            read_image(tmp_path / name)
    monkeypatch.setattr(PIL, "MAX_IMAGE_PIXELS", 300)    # twice as many may come, with no warning
    for name in ("a.png", "a.tif"):
        np.testing.assert_array_equal(read_image(tmp_path / name), COLOURS)
