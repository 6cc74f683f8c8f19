"""Named convolution layers as data, in classes with the speed that each class is to reach.

A target is a ratio to the best peer in one process: 2 means twice as fast. It is meant for two
threads, float32, a warm cache and a packed kernel; float64 is to reach 1.
"""

from dataclasses import dataclass
from math import prod


@dataclass(frozen=True)
class Layer:
    """One convolution; sizes per axis, channels last.

    `scale` multiplies the weights. `alternative` is another way to ask for about the same result,
    which must not be faster.
    """

    name: str
    n_images: int
    size: tuple
    in_channels: int
    out_channels: int
    kernel_size: tuple
    stride: int | tuple = 1
    padding: int | tuple = 0
    dilation: int = 1
    groups: int = 1
    scale: float = 1.0
    alternative: "Layer | None" = None

    @property
    def image_shape(self):
        """Shape of one image."""
        return (*self.size, self.in_channels)

    @property
    def images_shape(self):
        """Shape of the images."""
        return (self.n_images, *self.image_shape)

    @property
    def kernel_shape(self):
        """Shape of the kernel."""
        return (*self.kernel_size, self.in_channels // self.groups, self.out_channels)

    @property
    def settings(self):
        """Keyword arguments of `convlib.conv`."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation,
                "groups": self.groups}

    @property
    def plain_target(self):
        """What a plain kernel, prepared within the call, is to reach on a single image."""
        taps = prod(self.kernel_size)
        dense = self.groups == 1 and self.in_channels >= 32 and self.stride == 1
        quick = taps == 9 and self.in_channels <= 128 and len(self.size) == 2
        return 1.5 if dense and (quick or taps >= 25) else 0.9


@dataclass(frozen=True)
class LayerClass:
    """Layers of a kind, and the ratio that their geometric mean is to reach."""

    name: str
    target: float
    layers: tuple


CLASSES = (
    LayerClass("3x3", 2.3, (
        Layer("3x3 112x112x32", 1, (112, 112), 32, 32, (3, 3), padding=1),
        Layer("3x3 56x56x64", 1, (56, 56), 64, 64, (3, 3), padding=1),
        Layer("3x3 28x28x128", 1, (28, 28), 128, 128, (3, 3), padding=1),
        Layer("3x3 14x14x256", 1, (14, 14), 256, 256, (3, 3), padding=1),
        Layer("3x3 112x112x128", 1, (112, 112), 128, 128, (3, 3), padding=1),
        Layer("3x3 28x28x512", 1, (28, 28), 512, 512, (3, 3), padding=1),
    )),
    LayerClass("3x3 batch", 2.2, (
        Layer("3x3 224x224x64", 1, (224, 224), 64, 64, (3, 3), padding=1),
        Layer("3x3 32 of 56x56x64", 32, (56, 56), 64, 64, (3, 3), padding=1),
        Layer("3x3 32 of 28x28x128", 32, (28, 28), 128, 128, (3, 3), padding=1),
        Layer("3x3 32 of 14x14x256", 32, (14, 14), 256, 256, (3, 3), padding=1),
        Layer("3x3 64 of 32x32 32->64", 64, (32, 32), 32, 64, (3, 3), padding=1),
    )),
    LayerClass("7x7x512", 1.2, (
        Layer("3x3 7x7x512", 1, (7, 7), 512, 512, (3, 3), padding=1),
    )),
    LayerClass("dilated", 1.8, (
        Layer("3x3 d2 56x56x64", 1, (56, 56), 64, 64, (3, 3), padding=2, dilation=2),
        Layer("3x3 d2 28x28x128", 1, (28, 28), 128, 128, (3, 3), padding=2, dilation=2),
        Layer("3x3 d4 28x28x256", 1, (28, 28), 256, 256, (3, 3), padding=4, dilation=4),
        Layer("3x3 d6 33x33 512->256", 1, (33, 33), 512, 256, (3, 3), padding=6, dilation=6),
    )),
    LayerClass("3x3 s2", 1.2, (
        Layer("3x3 s2 112x112x64", 1, (112, 112), 64, 64, (3, 3), stride=2, padding=1),
        Layer("3x3 s2 56x56x128", 1, (56, 56), 128, 128, (3, 3), stride=2, padding=1),
        Layer("3x3 s2 28x28x256", 1, (28, 28), 256, 256, (3, 3), stride=2, padding=1),
        Layer("3x3 s2 16 of 56x56x128", 16, (56, 56), 128, 128, (3, 3), stride=2, padding=1),
    )),
    LayerClass("5x5", 3.0, (
        Layer("5x5 112x112x32", 1, (112, 112), 32, 32, (5, 5), padding=2),
        Layer("5x5 56x56x64", 1, (56, 56), 64, 64, (5, 5), padding=2),
        Layer("5x5 28x28x128", 1, (28, 28), 128, 128, (5, 5), padding=2),
        Layer("5x5 16 of 56x56x64", 16, (56, 56), 64, 64, (5, 5), padding=2),
    )),
    LayerClass("7x7-11x11", 4.5, (
        Layer("7x7 56x56x64", 1, (56, 56), 64, 64, (7, 7), padding=3),
        Layer("7x7 28x28x128", 1, (28, 28), 128, 128, (7, 7), padding=3),
        Layer("9x9 56x56x32", 1, (56, 56), 32, 32, (9, 9), padding=4),
        Layer("11x11 56x56x64", 1, (56, 56), 64, 64, (11, 11), padding=5),
    )),
    LayerClass("large", 10.0, (
        Layer("15x15 64x64x32", 1, (64, 64), 32, 32, (15, 15), padding=7),
        Layer("21x21 64x64x64", 1, (64, 64), 64, 64, (21, 21), padding=10),
        Layer("31x31 128x128x32", 1, (128, 128), 32, 32, (31, 31), padding=15),
    )),
    LayerClass("few channels 7x7-15x15", 1.5, (
        Layer("7x7 128x128x8", 1, (128, 128), 8, 8, (7, 7), padding=3),
        Layer("11x11 128x128x8", 1, (128, 128), 8, 8, (11, 11), padding=5),
        Layer("15x15 128x128x8", 1, (128, 128), 8, 8, (15, 15), padding=7),
    )),
    LayerClass("few channels 21x21-31x31", 3.0, (
        Layer("21x21 128x128x8", 1, (128, 128), 8, 8, (21, 21), padding=10),
        Layer("31x31 128x128x8", 1, (128, 128), 8, 8, (31, 31), padding=15),
    )),
    LayerClass("1x1", 1.0, (
        Layer("1x1 56x56 64->256", 1, (56, 56), 64, 256, (1, 1)),
        Layer("1x1 28x28 512->128", 1, (28, 28), 512, 128, (1, 1)),
        Layer("1x1 14x14 1024->256", 1, (14, 14), 1024, 256, (1, 1)),
        Layer("1x1 7x7 512->2048", 1, (7, 7), 512, 2048, (1, 1)),
        Layer("1x1 s2 56x56 256->512", 1, (56, 56), 256, 512, (1, 1), stride=2),
        Layer("1x1 16 of 14x14 1024->256", 16, (14, 14), 1024, 256, (1, 1)),
        Layer("1x1 32 of 56x56 64->256", 32, (56, 56), 64, 256, (1, 1)),
    )),
    LayerClass("stem", 1.0, (
        Layer("7x7 s2 224x224 3->64", 1, (224, 224), 3, 64, (7, 7), stride=2, padding=3),
        Layer("7x7 s2 32 of 224x224 3->64", 32, (224, 224), 3, 64, (7, 7), stride=2, padding=3),
    )),
    LayerClass("banks", 1.2, (
        Layer("5x5 512x512 1->16", 1, (512, 512), 1, 16, (5, 5), padding=2),
        Layer("3x3 64 of 28x28 1->32", 64, (28, 28), 1, 32, (3, 3), padding=1),
        Layer("5x5 8 of 128x128 1->32", 8, (128, 128), 1, 32, (5, 5), padding=2),
        Layer("5x5 32 of 128x128 1->32", 32, (128, 128), 1, 32, (5, 5), padding=2),
        Layer("3x3 224x224 3->32", 1, (224, 224), 3, 32, (3, 3), padding=1),
        Layer("3x3 s2 224x224 3->32", 1, (224, 224), 3, 32, (3, 3), stride=2, padding=1),
        Layer("5x5 32 of 64x64 3->64", 32, (64, 64), 3, 64, (5, 5), padding=2),
    )),
    LayerClass("single", 1.5, (
        Layer("3x3 256x256 1->1", 1, (256, 256), 1, 1, (3, 3), padding=1),
        Layer("3x3 16 of 128x128 1->1", 16, (128, 128), 1, 1, (3, 3), padding=1),
        Layer("3x3 1024x1024 1->1", 1, (1024, 1024), 1, 1, (3, 3), padding=1),
        Layer("5x5 1024x1024 1->1", 1, (1024, 1024), 1, 1, (5, 5), padding=2),
        Layer("7x7 1024x1024 1->1", 1, (1024, 1024), 1, 1, (7, 7), padding=3),
        Layer("11x11 1024x1024 1->1", 1, (1024, 1024), 1, 1, (11, 11), padding=5),
        Layer("21x21 512x512 1->1", 1, (512, 512), 1, 1, (21, 21), padding=10),
        Layer("3x3 4096x4096 1->1", 1, (4096, 4096), 1, 1, (3, 3), padding=1),
    )),
    LayerClass("depthwise 3x3 5x5", 1.3, (
        Layer("dw 3x3 112x112x64", 1, (112, 112), 64, 64, (3, 3), padding=1, groups=64),
        Layer("dw 3x3 56x56x128", 1, (56, 56), 128, 128, (3, 3), padding=1, groups=128),
        Layer("dw 3x3 14x14x512", 1, (14, 14), 512, 512, (3, 3), padding=1, groups=512),
        Layer("dw 3x3 s2 112x112x96", 1, (112, 112), 96, 96, (3, 3), stride=2, padding=1,
              groups=96),
        Layer("dw 5x5 28x28x240", 1, (28, 28), 240, 240, (5, 5), padding=2, groups=240),
        Layer("dw 5x5 s2 56x56x144", 1, (56, 56), 144, 144, (5, 5), stride=2, padding=2,
              groups=144),
        Layer("dw 3x3 32 of 14x14x512", 32, (14, 14), 512, 512, (3, 3), padding=1, groups=512),
        Layer("dw 3x3 32 of 56x56x128", 32, (56, 56), 128, 128, (3, 3), padding=1, groups=128),
    )),
    LayerClass("depthwise 7x7", 1.0, (
        Layer("dw 7x7 56x56x96", 1, (56, 56), 96, 96, (7, 7), padding=3, groups=96),
        Layer("dw 7x7 14x14x384", 1, (14, 14), 384, 384, (7, 7), padding=3, groups=384),
    )),
    LayerClass("2 a group", 5.0, (
        Layer("3x3 g64 56x56x128", 1, (56, 56), 128, 128, (3, 3), padding=1, groups=64),
        Layer("3x3 g32 28x28x64", 1, (28, 28), 64, 64, (3, 3), padding=1, groups=32),
    )),
    LayerClass("4 a group", 2.2, (
        Layer("3x3 g32 56x56x128", 1, (56, 56), 128, 128, (3, 3), padding=1, groups=32),
        Layer("3x3 g32 32 of 56x56x128", 32, (56, 56), 128, 128, (3, 3), padding=1, groups=32),
    )),
    LayerClass("8 a group", 1.3, (
        Layer("3x3 g32 28x28x256", 1, (28, 28), 256, 256, (3, 3), padding=1, groups=32),
        Layer("3x3 s2 g32 56x56x256", 1, (56, 56), 256, 256, (3, 3), stride=2, padding=1,
              groups=32),
    )),
    LayerClass("16 a group", 1.3, (
        Layer("3x3 g32 14x14x512", 1, (14, 14), 512, 512, (3, 3), padding=1, groups=32),
        Layer("3x3 g16 14x14x256", 1, (14, 14), 256, 256, (3, 3), padding=1, groups=16),
    )),
    LayerClass("32 a group", 1.8, (
        Layer("3x3 g4 28x28x128", 1, (28, 28), 128, 128, (3, 3), padding=1, groups=4),
        Layer("3x3 g8 28x28x256", 1, (28, 28), 256, 256, (3, 3), padding=1, groups=8),
        Layer("3x3 g32 14x14x1024", 1, (14, 14), 1024, 1024, (3, 3), padding=1, groups=32),
        Layer("3x3 g4 8 of 56x56x128", 8, (56, 56), 128, 128, (3, 3), padding=1, groups=4),
    )),
    LayerClass("64 a group", 2.5, (
        Layer("3x3 g2 28x28x128", 1, (28, 28), 128, 128, (3, 3), padding=1, groups=2),
        Layer("3x3 g4 14x14x256", 1, (14, 14), 256, 256, (3, 3), padding=1, groups=4),
    )),
    LayerClass("grouped 1x1", 1.2, (
        Layer("1x1 g3 28x28x240", 1, (28, 28), 240, 240, (1, 1), groups=3),
        Layer("1x1 g8 28x28x384", 1, (28, 28), 384, 384, (1, 1), groups=8),
        Layer("1x1 g4 14x14x512", 1, (14, 14), 512, 512, (1, 1), groups=4),
    )),
    LayerClass("signals and volumes", 1.0, (
        Layer("9 taps 10000x64", 1, (10000,), 64, 64, (9,), padding=4),
        Layer("3 taps d384 20000x64", 1, (20000,), 64, 64, (3,), padding=384, dilation=384),
        Layer("3x3x3 32x32x32x16", 1, (32, 32, 32), 16, 16, (3, 3, 3), padding=1),
        Layer("3x3x3 16x28x28x64", 1, (16, 28, 28), 64, 64, (3, 3, 3), padding=1),
    )),
    LayerClass("small", 1.0, (
        Layer("3x3 8x8 1->16", 1, (8, 8), 1, 16, (3, 3), padding=1),
        Layer("5x5 28x28 1->8", 1, (28, 28), 1, 8, (5, 5)),
        Layer("3x3 16x16x16", 1, (16, 16), 16, 16, (3, 3), padding=1),
        Layer("dw 3x3 14x14x32", 1, (14, 14), 32, 32, (3, 3), padding=1, groups=32),
        Layer("1x1 7x7 64->64", 1, (7, 7), 64, 64, (1, 1)),
        Layer("9 taps 300x1->8", 1, (300,), 1, 8, (9,), padding=4),
    )),
    # What users of other libraries have reported as slow.
    LayerClass("hurt", 1.0, (
        Layer("denormals 1x1 1000x15 64->128", 1, (1000, 15), 64, 128, (1, 1), scale=1e-42),
        Layer("3x3 4x4x512", 1, (4, 4), 512, 512, (3, 3), padding=1),
        Layer("dw 3x3 28x28x256", 1, (28, 28), 256, 256, (3, 3), padding=1, groups=256,
              alternative=Layer("dense", 1, (28, 28), 256, 256, (3, 3), padding=1)),
        Layer("dw 3x3x3 32x64x64x8", 1, (32, 64, 64), 8, 8, (3, 3, 3), padding=1, groups=8,
              alternative=Layer("dense", 1, (32, 64, 64), 8, 8, (3, 3, 3), padding=1)),
        Layer("dw 5x5x5 32x64x64x8", 1, (32, 64, 64), 8, 8, (5, 5, 5), padding=2, groups=8,
              alternative=Layer("dense", 1, (32, 64, 64), 8, 8, (5, 5, 5), padding=2)),
        Layer("3x7x7 g8 4x112x112 32->64", 1, (4, 112, 112), 32, 64, (3, 7, 7),
              stride=(1, 2, 2), groups=8),
        Layer("1x7x7 8x56x56 16->32", 1, (8, 56, 56), 16, 32, (1, 7, 7), padding=(0, 3, 3),
              alternative=Layer("images", 8, (56, 56), 16, 32, (7, 7), padding=3)),
        Layer("3x3 2 of 320x320 3->16", 2, (320, 320), 3, 16, (3, 3), padding=1),
        Layer("5 taps 232523 1->1", 1, (232523,), 1, 1, (5,), padding=2),
        Layer("1x1000 full 1000x1 1->1", 1, (1000, 1), 1, 1, (1, 1000), padding=(0, 999)),
        Layer("5x5x7 64x64x64 1->1", 1, (64, 64, 64), 1, 1, (5, 5, 7), padding=(2, 2, 3)),
        Layer("5x5x5 slice of 1024x1024 1->1", 1, (5, 1024, 1024), 1, 1, (5, 5, 5),
              padding=(0, 2, 2)),
    )),
)

LAYERS = tuple(layer for kind in CLASSES for layer in kind.layers)
