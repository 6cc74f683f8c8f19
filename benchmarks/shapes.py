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
    padding: int | tuple = 0
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
    Layer("filter 3x3 1024x1024", 1, (1024, 1024), 1, 1, (3, 3), padding=1),
    Layer("filter 7x7 1024x1024", 1, (1024, 1024), 1, 1, (7, 7), padding=3),
    Layer("filter 3x3, 16 of 128x128", 16, (128, 128), 1, 1, (3, 3), padding=1),
    Layer("filter 3x3 4096x4096", 1, (4096, 4096), 1, 1, (3, 3), padding=1),
    Layer("8 channels 7x7 128x128", 1, (128, 128), 8, 8, (7, 7), padding=3),
    Layer("8 channels 15x15 128x128", 1, (128, 128), 8, 8, (15, 15), padding=7),
    Layer("gray bank 3x3 x8, 64 of 28x28", 64, (28, 28), 1, 8, (3, 3), padding=1),
    Layer("gray bank 5x5 x16 512x512", 1, (512, 512), 1, 16, (5, 5), padding=2),
    Layer("signal 5 taps, 232523", 1, (232523,), 1, 1, (5,), padding=2),
    Layer("signal 9 taps, 100000", 1, (100000,), 1, 1, (9,), padding=4),
    Layer("volume 5x5x7 64x64x64", 1, (64, 64, 64), 1, 1, (5, 5, 7), padding=(2, 2, 3)),
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
)
