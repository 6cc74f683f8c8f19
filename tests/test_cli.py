"""The command line: tables, messages, exit codes, and what is left when it is killed."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import convlib as cl
from convlib import filters

for package in ("typer", "tifffile", "pyarrow"):
    pytest.importorskip(package)
imageio = pytest.importorskip("imageio.v3")
pandas = pytest.importorskip("pandas")

ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cl.__file__).parents[1]), "COLUMNS": "100",
               "NO_COLOR": "1"}
COMMAND = (sys.executable, "-m", "convlib")
PICTURES = [np.random.default_rng(k).integers(0, 256, (20 + k, 30, 3), dtype=np.uint8)
            for k in range(4)]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The folder that commands run in, with pictures of two kinds, one of them broken."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "100")
    for number, image in enumerate(PICTURES):
        path = tmp_path / "photos" / ("cats", "dogs")[number % 2] / f"{number}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        imageio.imwrite(path, image)
    (tmp_path / "photos" / "dogs" / "broken.png").write_bytes(b"no picture")
    return tmp_path


@pytest.fixture
def run(folder, monkeypatch, capsys):
    """A function that runs the command in this process: exit code, output and messages."""
    from convlib.cli import main

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["convlib", *map(str, arguments)])
        capsys.readouterr()
        with pytest.raises(SystemExit) as end:
            main()
        said = capsys.readouterr()
        if isinstance(end.value.code, str):    # which Python prints as it ends
            return 1, said.out, said.err + end.value.code
        return end.value.code or 0, said.out, said.err
    return call


def expected(images, **settings):
    return cl.ConvFeatures(pool="mean", pool_size="global", **settings).fit_transform(images)


def test_features_of_a_folder_as_a_process(folder):
    done = subprocess.run(
        (*COMMAND, "features", "photos", "--kernels", "gabor", "--pool", "mean", "--label",
         "--out", "new/features.parquet"), capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0
    assert done.stdout == ""
    lines = done.stderr.splitlines()
    assert lines[0].startswith("features: 5 of 5 pictures, ")
    assert lines[1] == "1 of 5 pictures are left out:"
    assert lines[2].startswith("  photos/dogs/broken.png: cannot be read as a picture: ")
    assert lines[3] == "new/features.parquet: 4 pictures, 48 features"
    table = pandas.read_parquet("new/features.parquet")
    assert list(table["file"]) == [f"photos/{name}.png" for name in (
        "cats/0", "cats/2", "dogs/1", "dogs/3")]
    assert list(table["label"]) == ["cats", "cats", "dogs", "dogs"]
    assert list(table.columns[2:4]) == ["k00_c0_mean", "k01_c0_mean"]
    images = [PICTURES[k] for k in (0, 2, 1, 3)]
    np.testing.assert_array_equal(table.iloc[:, 2:], expected(images, kernels="gabor"))
    assert os.listdir("new") == ["features.parquet"]


def test_csv_and_npz_hold_the_same_table(run):
    arguments = ("features", "photos/*/[0-9].png", "--pool", "mean", "--n-kernels", 4, "--quiet")
    for name in ("a.csv", "a.npz"):
        assert run(*arguments, "--out", name) == (0, "", "")
    wanted = expected([PICTURES[k] for k in (0, 2, 1, 3)], n_kernels=4, random_state=0)
    table = pandas.read_csv("a.csv")
    np.testing.assert_allclose(table.iloc[:, 1:], wanted, rtol=1e-6)
    with np.load("a.npz") as arrays:
        np.testing.assert_array_equal(arrays["features"], wanted)
        assert list(arrays["files"]) == list(table["file"])
        assert list(arrays["feature_names"]) == list(table.columns[1:])
        assert "labels" not in arrays


def test_arrays_are_many_pictures_and_kernels_are_learnt(run):
    images = np.random.default_rng(0).integers(0, 256, (30, 12, 12), dtype=np.uint8)
    np.save("digits.npy", images)
    code, _, said = run("features", "digits.npy", "--kernels", "kmeans", "--n-kernels", 8,
                        "--pool-size", 6, "--out", "a.npz")
    assert code == 0, said
    with np.load("a.npz") as arrays:
        assert arrays["features"].shape == (30, 2 * 2 * 8)
        assert arrays["files"][17] == "digits.npy[17]"


def test_pictures_that_do_not_go_together_are_told_apart(run):
    imageio.imwrite("photos/grey.png", PICTURES[0][..., 0])
    _, _, said = run("features", "photos", "--out", "a.npz", "--quiet")
    assert "photos/grey.png: channels: 1, of the first picture 3; --channels" in said
    code, _, said = run("features", "photos", "--out", "a.npz", "--channels", "grey")
    assert code == 0
    assert said.endswith("a.npz: 5 pictures, 32 features\n")
    _, _, said = run("features", "photos", "--out", "a.npz", "--pool-size", 4, "--quiet")
    assert "photos/cats/2.png: it has 22 x 30 pixels, the first picture 20 x 30" in said


def test_strict_writes_nothing_and_loses_nothing(run):
    arguments = ("features", "photos", "--out", "a.npz", "--strict")
    code, _, said = run(*arguments)
    assert code == 1
    assert said.endswith("Error: a.npz is not written\n")
    assert not os.path.exists("a.npz")
    imageio.imwrite("photos/dogs/broken.png", PICTURES[0])
    code, _, said = run(*arguments)
    assert code == 0
    assert said.endswith("a.npz: 5 pictures, 4 of them by an earlier run, 32 features\n")
    assert not os.path.exists("a.npz.partial")


def test_a_killed_command_goes_on_where_it_was(folder, run):
    images = np.random.default_rng(0).integers(0, 256, (300, 10, 10), dtype=np.uint8)
    np.save("many.npy", images)
    os.mkfifo("last.png")    # whoever reads it waits for ever
    arguments = ("features", "many.npy", "last.png", "--pool", "mean", "--out", "a.npz")
    journal = folder / "a.npz.partial" / "names.jsonl"
    with subprocess.Popen((*COMMAND, *arguments), stderr=subprocess.PIPE,
                          env=ENVIRONMENT) as process:
        while process.poll() is None and not (
                journal.exists() and journal.read_bytes().count(b"\n") == 257):
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    assert not (folder / "a.npz").exists()
    with journal.open("a") as file:
        file.write('["many.npy[29')    # cut off half-way, and so is a row
    with journal.with_name("rows").open("ab") as file:
        file.write(b"123")
    os.remove("last.png")
    imageio.imwrite("last.png", images[0])
    code, _, said = run(*arguments)
    assert code == 0
    assert "a.npz: 301 pictures, 256 of them by an earlier run, 32 features" in said
    with np.load("a.npz") as arrays:
        np.testing.assert_array_equal(
            arrays["features"], expected(np.concatenate([images, images[:1]]), random_state=0))


def test_an_interrupted_command_says_how_to_go_on(run, monkeypatch):
    def interrupt(self, X):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cl.ConvFeatures, "transform", interrupt)
        code, _, said = run("features", "photos", "--out", "a.npz")
    assert code == 130
    assert "stopped\ninterrupted: the same command goes on from here" in said
    assert run("features", "photos", "--out", "a.npz")[0] == 0


def test_other_settings_and_other_files_are_computed_again(run):
    arguments = ("features", "photos", "--out", "a.npz", "--strict")
    assert run(*arguments)[0] == 1
    imageio.imwrite("photos/dogs/broken.png", PICTURES[0])
    imageio.imwrite("photos/dogs/1.png", PICTURES[1][::2])
    assert "5 pictures, 3 of them by an earlier run" in run(*arguments)[2]
    (Path("photos") / "broken.png").write_bytes(b"")
    assert run(*arguments)[0] == 1
    os.remove("photos/broken.png")
    assert "a.npz: 5 pictures, 32 features" in run(*arguments, "--seed", 1)[2]


def test_filter_writes_what_formats_can_hold(run):
    assert run("filter", "photos/cats/0.png", "a.tif", "--filter", "sobel") == (0, "", "")
    wanted = filters.sobel(PICTURES[0], channel_axis=-1)
    np.testing.assert_array_equal(imageio.imread("a.tif"), wanted)
    code, _, said = run("filter", "photos/cats/0.png", "a.png", "-f", "sobel", "--axis", 0)
    assert code == 0
    assert "became 0 to 255" in said
    wanted = filters.sobel(PICTURES[0], 0, channel_axis=-1)
    np.testing.assert_allclose(
        imageio.imread("a.png"), (wanted - wanted.min()) * 255 / np.ptp(wanted), atol=0.501)
    assert run("filter", "photos/cats/0.png", "b.png", "-f", "percentile", "--set", "q=30",
               "--size", 5, "--channels", "grey") == (0, "", "")
    code, _, said = run("filter", "photos", "filtered", "-f", "median")
    assert code == 0
    assert "  photos/dogs/broken.png: cannot be read" in said
    np.testing.assert_array_equal(imageio.imread("filtered/dogs/1.png"),
                                  filters.median(PICTURES[1], channel_axis=-1))
    np.save("signals.npy", np.ones((3, 50)))
    assert run("filter", "signals.npy", "b.npy", "-f", "gaussian", "--set", "axes=1")[0] == 0
    np.testing.assert_allclose(np.load("b.npy"), 1)


def test_explain_tells_what_a_convolution_costs(run):
    code, text, said = run("explain", "--image", "32x48x3", "--kernel", "5x5x8", "--stride", 2)
    assert (code, said) == (0, "")
    lines = dict(line.split(maxsplit=1) for line in text.splitlines() if " " in line.strip())
    plan = cl.explain_conv((32, 48, 3), (5, 5, 3, 8), stride=2)
    assert lines["algorithm"] == plan.algorithm
    assert lines["output"] == "14x22x8"
    assert lines["receptive"] == "field  5x5"
    assert lines["multiply-adds"] == f"{14 * 22 * 8 * 75:,}"
    assert "one thread" in lines["measured"]
    assert lines["fft"] == f"not: {plan.refusals['fft']}"
    assert "measured" not in run("explain", "--image", "9x1", "--kernel", "3x1", "--no-measure")[1]


def test_info_help_and_version(run):
    done = subprocess.run((*COMMAND, "info"), capture_output=True, text=True, env=ENVIRONMENT)
    assert done.returncode == 0
    assert "tier: " in done.stdout
    assert run("--version") == (0, f"convlib {cl.__version__}\n", "")
    for command in ("features", "filter", "explain"):
        code, text, _ = run(command, "--help")
        assert code == 0
        assert f"convlib {command}" in text.split("Examples")[1]
    assert run()[0] == 2


@pytest.mark.parametrize(("arguments", "message"), [
    (["features", "photos"], "Missing option '--out'"),
    (["features", "nowhere", "--out", "a.npz"], "there is no file or folder 'nowhere'"),
    (["features", "*.gif", "--out", "a.npz"], "no file is called like '*.gif'"),
    (["features", "photos", "--out", "a.xls"], "one of .parquet, .csv, .npz; got 'a.xls'"),
    (["features", "photos", "--out", "a.npz", "-k", "garbor"], "'garbor' is neither a .npy file"),
    (["features", "photos", "--out", "a.npz", "--kernel-size", "0"], "'0' is no size such as 7"),
    (["filter", "photos", "out", "-f", "blur"], "'blur' is not one of"),
    (["filter", "photos", "out", "-f", "sobel", "--sigma", "2"], "sobel has no setting 'sigma'"),
    (["filter", "photos", "out", "-f", "percentile"], "percentile needs a setting 'q'"),
    (["explain", "--image", "9xx", "--kernel", "3x1"], "'9xx' is no size"),
    (["teach"], "No such command 'teach'"),
])
def test_commands_that_are_not_understood(run, arguments, message):
    code, text, said = run(*arguments)
    assert code == 2
    assert text == ""
    assert message in " ".join(said.replace("│", " ").split())


@pytest.mark.parametrize(("arguments", "message"), [
    (["features", "photos/dogs/broken.png", "--out", "a.npz"], "none of the 1 pictures can be"),
    (["features", "photos", "--out", "a.npz", "--pool", "lp"], "Error: pool must be one of"),
    (["filter", "photos/dogs/broken.png", "a.png", "-f", "mean"], "Error: photos/dogs/broken.png"),
    (["filter", "photos/cats/0.png", "no/a.png", "-f", "mean"], "Error: no/a.png cannot be"),
    (["explain", "--image", "4x4x3", "--kernel", "5x5x2"], "Error: no window fits on axis 0"),
])
def test_what_cannot_be_done_is_said_in_a_line(run, arguments, message):
    code, text, said = run(*arguments)
    assert (code, text) == (1, "")
    assert message in said
    assert "Traceback" not in said


@pytest.mark.parametrize(("package", "message"), [
    ("typer", "pip install 'convlib[cli]'"), ("imageio", "pip install 'convlib[io]'"),
    ("pyarrow", "pip install 'convlib[tables]'")])
def test_without_an_extra_its_name_is_told(run, monkeypatch, package, message):
    for name in list(sys.modules):
        if name.split(".")[0] == package or name.startswith("convlib._cli.app"):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, package, None)
    code, _, said = run("features", "photos", "--out", "a.parquet")
    assert code == 1
    assert message in said
