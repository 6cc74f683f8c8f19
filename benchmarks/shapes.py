"""Named convolution layers as data: the shapes that correctness and speed are judged on."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Layer:
    """One convolution; sizes per axis, channels last."""

    name: str
    n_images: int
    size: tuple
    in_channels: int
    out_channels: int
    kernel_size: tuple
    stride: int = 1
    padding: int = 0
    dilation: int = 1
    groups: int = 1

    @property
    def images_shape(self):
        """Shape of the images."""
        return (self.n_images, *self.size, self.in_channels)

    @property
    def kernel_shape(self):
        """Shape of the kernel."""
        return (*self.kernel_size, self.in_channels // self.groups, self.out_channels)

    @property
    def settings(self):
        """Keyword arguments of `convlib.conv`."""
        return {"stride": self.stride, "padding": self.padding, "dilation": self.dilation,
                "groups": self.groups}


LAYERS = (
    Layer("resnet 3x3 56x56x64", 1, (56, 56), 64, 64, (3, 3), padding=1),
    Layer("resnet 3x3 14x14x256", 1, (14, 14), 256, 256, (3, 3), padding=1),
    Layer("resnet 1x1 56x56 64->256", 1, (56, 56), 64, 256, (1, 1)),
    Layer("stem 7x7 s2 224x224x3", 1, (224, 224), 3, 64, (7, 7), stride=2, padding=3),
    Layer("gray bank 5x5 x32, 8 of 128x128", 8, (128, 128), 1, 32, (5, 5), padding=2),
    Layer("resnet 3x3 28x28x128", 1, (28, 28), 128, 128, (3, 3), padding=1),
    Layer("resnet 3x3 7x7x512", 1, (7, 7), 512, 512, (3, 3), padding=1),
    Layer("resnet 3x3 s2 56x56x128", 1, (56, 56), 128, 128, (3, 3), stride=2, padding=1),
    Layer("1x1 14x14 1024->256", 1, (14, 14), 1024, 256, (1, 1)),
    Layer("dilated 3x3 28x28x128", 1, (28, 28), 128, 128, (3, 3), padding=2, dilation=2),
    Layer("cifar 3x3 x32, 64 of 32x32x32", 64, (32, 32), 32, 32, (3, 3), padding=1),
    Layer("rgb 3x3 x32 224x224", 1, (224, 224), 3, 32, (3, 3), padding=1),
    Layer("grouped 3x3 32 groups 56x56x128", 1, (56, 56), 128, 128, (3, 3), padding=1, groups=32),
    Layer("depthwise 3x3 56x56x128", 1, (56, 56), 128, 128, (3, 3), padding=1, groups=128),
    Layer("signal 9 taps 64->64, 10000", 1, (10000,), 64, 64, (9,), padding=4),
    Layer("volume 3x3x3 32x32x32x16", 1, (32, 32, 32), 16, 16, (3, 3, 3), padding=1),
    Layer("dilated 3x3 d6 33x33x512", 1, (33, 33), 512, 256, (3, 3), padding=6, dilation=6),
    Layer("signal 3 taps d384 64->64, 20000", 1, (20000,), 64, 64, (3,), padding=384, dilation=384),
    Layer("4x4 512 channels", 1, (4, 4), 512, 512, (3, 3), padding=1),
    Layer("5x5 56x56x64", 1, (56, 56), 64, 64, (5, 5), padding=2),
    Layer("5x5 28x28x128", 1, (28, 28), 128, 128, (5, 5), padding=2),
    Layer("7x7 56x56x64", 1, (56, 56), 64, 64, (7, 7), padding=3),
    Layer("7x7 28x28x128", 1, (28, 28), 128, 128, (7, 7), padding=3),
    Layer("11x11 56x56x64", 1, (56, 56), 64, 64, (11, 11), padding=5),
    Layer("15x15 64x64x32", 1, (64, 64), 32, 32, (15, 15), padding=7),
    Layer("21x21 64x64x64", 1, (64, 64), 64, 64, (21, 21), padding=10),
    Layer("31x31 128x128x32", 1, (128, 128), 32, 32, (31, 31), padding=15),
    Layer("7x7 128x128x8", 1, (128, 128), 8, 8, (7, 7), padding=3),
    Layer("15x15 128x128x8", 1, (128, 128), 8, 8, (15, 15), padding=7),
    Layer("31x31 128x128x8", 1, (128, 128), 8, 8, (31, 31), padding=15),
    Layer("11x11 gray 512x512", 1, (512, 512), 1, 1, (11, 11), padding=5),
    Layer("31x31 gray 512x512", 1, (512, 512), 1, 1, (31, 31), padding=15),
    Layer("signal 500 taps, 100000", 1, (100_000,), 1, 1, (500,), padding=250),
    Layer("signal 100 taps 64->64, 10000", 1, (10_000,), 64, 64, (100,), padding=50),
)
