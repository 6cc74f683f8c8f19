"""What the displays draw: how many pictures, of what, in which colours, where."""

import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import BaseEstimator
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError

from convlib import (
    ConvFeatures,
    ConvNetClassifier,
    DeformConvFeatures,
    banks,
    displays,
    layers,
)

matplotlib = pytest.importorskip("matplotlib")
matplotlib.use("Agg")
from matplotlib import pyplot as plt  # noqa: E402

RNG = np.random.default_rng(0)
IMAGES = RNG.normal(size=(6, 9, 8, 3)).astype(np.float32)
DIGITS = load_digits().data[:100]
Display = displays.KernelDisplay


@pytest.fixture(autouse=True)
def fixture_closed_figures():
    yield
    plt.close("all")


def picture(axis):
    """Return the array of the one image that an Axes holds."""
    (image,) = axis.images
    return np.asarray(image.get_array())


def titles(display):
    return [axis.get_title() for axis in display.axes_]


# What is drawn


def test_each_kernel_is_an_axes_with_its_values_and_name():
    bank = banks.leung_malik(15)
    display = Display.from_kernels(bank)
    assert isinstance(display.figure_, matplotlib.figure.Figure)
    assert display.axes_.shape == (48,)
    assert display.figure_.axes == list(display.axes_)
    assert titles(display) == [f"k{k:02d}" for k in range(48)]
    for k, axis in enumerate(display.axes_):
        np.testing.assert_array_equal(picture(axis), bank[..., 0, k])
        assert len(axis.get_xticks()) == len(axis.get_yticks()) == 0


def test_signed_kernels_have_colours_symmetric_about_zero():
    kernels = np.zeros((2, 2, 1, 3))
    kernels[0, 0, 0] = -4, 2, 0
    kernels[1, 1, 0] = 1, 6, 0
    images = [axis.images[0] for axis in Display.from_kernels(kernels).axes_]
    assert [image.get_clim() for image in images] == [(-4, 4), (0, 6), (-1, 1)]
    assert [image.get_cmap().name for image in images] == ["RdBu_r", "gray", "RdBu_r"]
    display = Display.from_kernels(kernels, shared_scale=True, cmap="PiYG")
    images = [axis.images[0] for axis in display.axes_]
    assert [image.get_clim() for image in images] == [(-6, 6)] * 3
    assert {image.get_cmap().name for image in images} == {"PiYG"}
    white = matplotlib.colormaps["RdBu_r"](0.5)[:3]
    assert min(white) > 0.95


def test_three_channels_are_red_green_and_blue_around_grey():
    kernels = RNG.normal(size=(4, 5, 3, 2))
    kernels[0, 0] = 0
    for k, axis in enumerate(Display.from_kernels(kernels).axes_):
        colours = picture(axis)
        assert colours.shape == (4, 5, 3)
        np.testing.assert_allclose(colours[0, 0], 0.5)
        np.testing.assert_allclose(
            (colours - 0.5) * 2 * np.abs(kernels[..., k]).max(), kernels[..., k], atol=1e-12)
        assert colours.min() >= 0
        assert colours.max() <= 1
    assert len(Display.from_kernels(kernels).axes_) == 2


def test_other_numbers_of_channels_are_a_picture_each():
    kernels = RNG.normal(size=(3, 3, 2, 2))
    display = Display.from_kernels(kernels, names=["a", "b"])
    assert titles(display) == ["a_c0", "a_c1", "b_c0", "b_c1"]
    np.testing.assert_array_equal(picture(display.axes_[1]), kernels[..., 1, 0])


def test_kernels_of_signals_are_lines():
    kernels = RNG.normal(size=(7, 2, 3))
    display = Display.from_kernels(kernels)
    assert len(display.axes_) == 3
    for k, axis in enumerate(display.axes_):
        zero, *lines = axis.lines
        assert set(zero.get_ydata()) == {0}
        assert [list(line.get_ydata()) for line in lines] == kernels[..., k].T.tolist()
        low, high = axis.get_ylim()
        assert low < -np.abs(kernels[..., k]).max()
        assert high > np.abs(kernels[..., k]).max()
    axis = Display.from_kernels(banks.gaussian_kernel(ndim=1)).axes_[0]
    assert -0.1 < axis.get_ylim()[0] < 0


def test_of_volumes_the_slice_in_the_middle_is_drawn():
    kernels = RNG.normal(size=(5, 4, 3, 1, 2))
    for k, axis in enumerate(Display.from_kernels(kernels).axes_):
        np.testing.assert_array_equal(picture(axis), kernels[2, ..., 0, k])
        largest = np.abs(kernels[..., k]).max()    # of the whole kernel
        assert axis.images[0].get_clim() == (-largest, largest)
    assert picture(Display.from_kernels(RNG.normal(size=(2, 4, 3, 3, 1))).axes_[0]).shape == \
        (4, 3, 3)


# Where


def test_pictures_go_into_one_axes():
    figure, (left, right) = plt.subplots(1, 2)
    display = Display.from_kernels(banks.kirsch_kernels(), ax=right, n_columns=4)
    assert display.figure_ is figure
    assert figure.axes == [left, right]
    assert list(display.axes_) == right.child_axes
    assert not right.axison
    figure.canvas.draw()
    outer = right.get_position()
    boxes = [axis.get_position() for axis in display.axes_]
    for box in boxes:
        assert outer.x0 <= box.x0 < box.x1 <= outer.x1
        assert outer.y0 - 1e-9 <= box.y0 < box.y1 <= outer.y1
    assert boxes[0].y0 > boxes[4].y1
    assert boxes[0].x1 < boxes[1].x0
    assert [round(box.y0, 6) for box in boxes[:4]] == [round(boxes[0].y0, 6)] * 4


def test_pictures_go_into_given_axes_or_figures():
    _, grid = plt.subplots(2, 2)
    display = Display.from_kernels(banks.sobel_kernels(3), ax=grid)
    assert list(display.axes_) == list(grid.flat)[:3]
    assert not grid[1, 1].images
    parts = plt.figure().subfigures(1, 2)
    display = Display.from_kernels(banks.sobel_kernels(), figure=parts[1])
    assert display.figure_ is parts[1]
    assert parts[1].axes == list(display.axes_)
    assert not parts[0].axes


def test_the_number_of_pictures_can_be_chosen():
    display = Display.from_kernels(banks.dct(), max_kernels=10, n_columns=5)
    assert len(display.axes_) == len(display.figure_.axes) == 10
    grid = display.axes_[0].get_subplotspec().get_gridspec()
    assert (grid.nrows, grid.ncols) == (2, 5)
    assert len(Display.from_kernels(RNG.normal(size=(2, 2, 1, 70))).axes_) == 64
    display = Display.from_kernels(banks.sobel_kernels(), n_columns=5)
    assert display.axes_[0].get_subplotspec().get_gridspec().ncols == 2


def test_plot_draws_again():
    display = Display(banks.sobel_kernels(), names=("down", "right"))
    assert not hasattr(display, "axes_")
    assert display.plot() is display
    first = display.figure_
    display.plot()
    assert display.figure_ is not first
    assert titles(display) == ["down", "right"]


# Estimators


def test_kernels_of_estimators():
    fitted = ConvFeatures(5, random_state=0).fit(IMAGES)
    display = Display.from_estimator(fitted)
    assert titles(display) == [f"k{k}" for k in range(5)]
    kernel = fitted.kernels_[..., 2]
    np.testing.assert_allclose(
        (picture(display.axes_[2]) - 0.5) * 2 * np.abs(kernel).max(), kernel, atol=1e-6)
    fitted = DeformConvFeatures(4, random_state=0).fit(IMAGES)
    assert len(Display.from_estimator(fitted).axes_) == 4


def test_a_bank_that_all_channels_share_is_drawn_once():
    display = Display.from_estimator(ConvFeatures(kernels="sobel").fit(IMAGES))
    assert titles(display) == ["k0", "k1"]
    np.testing.assert_array_equal(picture(display.axes_[1]), banks.sobel_kernels()[..., 0, 1])


def test_kernels_of_each_channel_are_pictures():
    fitted = ConvFeatures(2, conv="depthwise", random_state=0).fit(IMAGES)
    display = Display.from_estimator(fitted)
    assert titles(display) == ["k0_c0", "k1_c0", "k0_c1", "k1_c1", "k0_c2", "k1_c2"]
    np.testing.assert_allclose(picture(display.axes_[3]), fitted.kernels_[..., 1, 1], rtol=1e-6)


def test_kernels_of_other_forms():
    fitted = ConvFeatures(4, conv="spatial", kernel_size=(3, 2), random_state=0).fit(IMAGES)
    display = Display.from_estimator(fitted)
    names = titles(display)
    assert names == [f"k{k}_c{c}" for c in range(3) for k in range(4)]
    down, along = fitted.kernels_1d_
    n = down.shape[-1]
    for c, k in np.ndindex(3, 4):
        first, second = divmod(k, along.shape[-1])
        wanted = np.outer(down[:, c, first], along[:, c * n + first, second])
        got = picture(display.axes_[names.index(f"k{k}_c{c}")])
        np.testing.assert_allclose(got, wanted, rtol=1e-5, atol=1e-7)
    fitted = ConvFeatures(6, conv="separable", random_state=0).fit(IMAGES)
    display = Display.from_estimator(fitted)
    assert titles(display) == [f"c{c}_m{m}" for c in range(3) for m in range(2)]
    np.testing.assert_allclose(picture(display.axes_[5]), fitted.kernels_[..., 2, 1], rtol=1e-6)
    fitted = ConvFeatures(5, conv="transposed", random_state=0).fit(IMAGES)
    display = Display.from_estimator(fitted)
    assert titles(display) == [f"k{k}" for k in range(5)]
    kernel = fitted.kernels_[..., 1, :]
    np.testing.assert_allclose(
        (picture(display.axes_[1]) - 0.5) * 2 * np.abs(kernel).max(), kernel, atol=1e-6)


def test_other_estimators_need_kernels():
    class Other(BaseEstimator):
        def fit(self):
            self.kernels_ = np.ones((3, 3, 1, 2))
            return self

    assert len(Display.from_estimator(Other().fit()).axes_) == 2


# What is refused


def test_refusals_name_the_argument():
    kernels = banks.sobel_kernels()
    figure, axis = plt.subplots()
    refused = [
        (lambda: Display.from_kernels(np.ones((3, 3))), ValueError, "kernels must be an array of"),
        (lambda: Display.from_kernels(np.full((3, 3, 1, 1), np.inf)), ValueError, "finite"),
        (lambda: Display.from_kernels(kernels, names=["one"]), ValueError, "names must be 2 str"),
        (lambda: Display.from_kernels(kernels, names="ab"), TypeError, "names must be 2 strings"),
        (lambda: Display.from_kernels(kernels, ax=axis, figure=figure), ValueError, "both"),
        (lambda: Display.from_kernels(kernels, ax=[axis]), ValueError, "at least 2 Axes"),
        (lambda: Display.from_kernels(kernels, ax=3), TypeError, "ax must be matplotlib Axes"),
        (lambda: Display.from_kernels(kernels, figure=3), TypeError, "figure must be"),
        (lambda: Display.from_kernels(kernels, n_columns=0), ValueError, "n_columns must be"),
        (lambda: Display.from_kernels(kernels, max_kernels=0), ValueError, "max_kernels must be"),
        (lambda: Display.from_kernels(kernels, shared_scale=1), TypeError, "shared_scale must be"),
        (lambda: Display.from_estimator(ConvFeatures()), NotFittedError, "not fitted"),
        (lambda: Display.from_estimator(3), TypeError, "estimator"),
    ]
    for call, error, message in refused:
        with pytest.raises(error, match=message):
            call()


def test_an_estimator_without_kernels_is_refused():
    from sklearn.decomposition import PCA

    with pytest.raises(TypeError, match="estimator must be one with kernels_"):
        Display.from_estimator(PCA(2).fit(DIGITS))


# Maps, patterns, fields and curves


def small_network():
    rng = np.random.default_rng(0)
    chain = [layers.Conv(4, activation="relu"), layers.MaxPool(), layers.Conv(3), layers.Flatten(),
             layers.Dense(2)]
    return ConvNetClassifier(layers=chain, max_iter=3, early_stopping=True, random_state=0).fit(
        rng.random((60, 8, 8, 1)), np.arange(60) % 2)


def test_maps_are_those_of_the_layer():
    network, image = small_network(), DIGITS[0].reshape(8, 8) / 16
    display = displays.FeatureMapDisplay.from_estimator(network, image, layer=2)
    assert titles(display) == ["image", "map 0", "map 1", "map 2"]
    expected = network.as_transformer(2).transform(image[np.newaxis, ..., np.newaxis])
    expected = expected.reshape(4, 4, 3)
    largest = np.abs(expected).max()
    for number, axis in enumerate(display.axes_[1:]):
        np.testing.assert_array_equal(picture(axis), expected[..., number])
        assert axis.images[0].get_clim() == pytest.approx((-largest, largest))
    positive = displays.FeatureMapDisplay.from_estimator(network, image, max_maps=2)
    assert positive.axes_[1].images[0].get_clim()[0] == 0
    assert len(positive.axes_) == 3
    with pytest.raises(ValueError, match="flat values has none"):
        displays.FeatureMapDisplay.from_estimator(network, image, layer=4)


def test_maps_of_a_transformer_are_drawn_whatever_its_output_is():
    images = DIGITS.reshape(-1, 8, 8)
    flat = ConvFeatures(3, kernels="pca").fit(images)
    maps = ConvFeatures(3, kernels="pca", output="maps").fit(images).transform(images[:1])[0]
    display = displays.FeatureMapDisplay.from_estimator(flat, images[0])
    for number, axis in enumerate(display.axes_[1:]):
        np.testing.assert_allclose(picture(axis), maps[..., number])
    assert flat.output == "flat"
    with pytest.raises(TypeError, match="with maps"):
        displays.FeatureMapDisplay.from_estimator(PCA().fit(DIGITS), images[0])


def test_patterns_are_those_of_deconvnet():
    network, image = small_network(), DIGITS[0].reshape(8, 8) / 16
    display = displays.DeconvDisplay.from_estimator(network, image, layer=2, units=[2, (1, 3, 0)])
    assert titles(display) == ["image", "channel 2", "channel 0 at 1, 3"]
    for unit, axis in zip([2, (1, 3, 0)], display.axes_[1:]):
        pattern = layers.deconvnet(network, image[..., np.newaxis], 2, unit)[..., 0]
        np.testing.assert_array_equal(picture(axis), pattern)
    assert len(displays.DeconvDisplay.from_estimator(network, image, layer=2).axes_) == 4


def test_fields_are_drawn_where_they_grow_and_lie_within_the_axes():
    display = displays.ReceptiveFieldDisplay.from_estimator(small_network(), image=np.eye(8))
    texts = [text.get_text() for text in display.legend_.get_texts()]
    assert texts == ["0 Conv: 3 x 3", "1 MaxPool: 4 x 4", "2 Conv: 8 x 8", "3 Flatten: 14 x 14"]
    (left, right), (bottom, top) = display.ax_.get_xlim(), display.ax_.get_ylim()
    for patch in display.ax_.patches:
        box = patch.get_bbox()
        assert left < box.x0 < box.x1 < right
        assert top < box.y0 < box.y1 < bottom
    display.figure_.draw_without_rendering()
    legend, whole = display.legend_.get_window_extent(), display.figure_.bbox
    assert legend.x1 <= whole.x1
    assert legend.x0 >= display.ax_.get_window_extent().x1
    with pytest.raises(ValueError, match="height, width and channels"):
        displays.ReceptiveFieldDisplay.from_layers([layers.Conv(3)], (8, 1))


def test_curves_are_losses_and_scores():
    network = small_network()
    display = displays.LossCurveDisplay.from_estimator(network)
    np.testing.assert_array_equal(display.ax_.lines[0].get_ydata(), network.loss_curve_)
    np.testing.assert_array_equal(
        display.score_ax_.lines[0].get_ydata(), network.validation_scores_)
    assert display.ax_.lines[1].get_xdata()[0] == network.best_iter_
    assert display.ax_.get_yscale() == "log"
    plain = displays.LossCurveDisplay([1.0, 0.0]).plot()
    assert plain.ax_.get_yscale() == "linear"
    assert plain.score_ax_ is plain.ax_.get_legend() is None
    with pytest.raises(TypeError, match="loss_curve_"):
        displays.LossCurveDisplay.from_estimator(PCA().fit(DIGITS))


def test_matplotlib_is_loaded_when_something_is_drawn_and_its_lack_is_told():
    code = (
        "import sys, numpy as np\n"
        "sys.modules['matplotlib'] = None\n"
        "from convlib.displays import KernelDisplay\n"
        "display = KernelDisplay(np.ones((2, 2, 1, 1)))\n"
        "try:\n    display.plot()\n"
        "except ImportError as error:\n    print(error)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'convlib[plot]'" in result.stdout
