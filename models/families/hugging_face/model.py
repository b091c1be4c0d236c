"""`hf:OWNER/NAME@REVISION` and `hf:FOLDER` as a `Model`, planned from JSON files without a framework."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING

from ....errors import UsageError, WeightsError
from ...labels import labels
from ...spec import InputSizes, Model, Preprocessing, Views, WeightsDescription
from ...transforms import Triple
from ...weights.hugging_face.hub import NOT_STATED, Snapshot, parse_name, stored_snapshot
from ...weights.hugging_face.snapshot import CONFIG, FORMAT, ONE_FILE, described_at
from ...weights.sidecar import described, sidecar_path, states
from .config import Config, read_config
from .processor import FILES as PROCESSOR_FILES
from .processor import read_preprocessing
from .published import PUBLISHED

if TYPE_CHECKING:
    from .torch_network import VideoClassifier


PACKAGES = {"transformers": "`pip install 'actionbench[transformers]'`"}
"""See `families.registry.Family`."""


_NAMED = "hf:FOLDER, hf:OWNER/NAME or hf:OWNER/NAME@REVISION"


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a network's files are.

    - `folder`: of them.
    - `name`: of the network in reports, without "hf:".
    - `snapshot`: what was fetched; None for a folder of the user.
    """

    folder: Path
    name: str
    snapshot: Snapshot | None = None

    @property
    def described(self) -> Path:
        """The folder whose YAML file (`sidecar_path`) describes them."""
        return described_at(self.folder, self.snapshot)


def model(name: str) -> Model:
    """The network of a folder, or of a repository that `bench weights fetch` stored.

    - `name`: path of a folder, or OWNER/NAME or OWNER/NAME@REVISION.

    Nothing is downloaded. Raises UsageError for a name that is neither, WeightsError if the network was not
    fetched, is not supported, or nothing says how frames are sampled for it.
    """
    place = _located(name)
    if not (place.folder / CONFIG).is_file():
        raise WeightsError(
            f"holds no {CONFIG}, so it is not a network of Hugging Face",
            where=place.folder,
            expected=f"{CONFIG}, {' or '.join(PROCESSOR_FILES)}, and {ONE_FILE}",
            remedy="`model.save_pretrained(FOLDER)` and `processor.save_pretrained(FOLDER)` of transformers "
            "write them",
        )
    config = read_config(place.folder)
    how = read_preprocessing(place.folder, config.side)
    # Its format is that of the folder, whatever a YAML file says.
    description = replace(described(_assumed(place, config, how), place.described), format=FORMAT)
    _require_sampling(place)
    _check_fits(description, config, place)
    sizes = InputSizes() if config.architecture.any_frames else InputSizes(config.frames, config.side)
    return Model(
        name=f"hf:{place.name}",
        title=f"{config.architecture.title}, {config.frames} frames",
        streams={"rgb": description},
        backends={"torch": "actionbench.models.families.hugging_face.torch_network:load"},
        paper=config.architecture.paper,
        macs=partial(_macs, place.folder),
        details={"min_side": config.side},
        sizes=sizes,
        own_weights={"rgb": place.folder},
        packages=PACKAGES,
    )


def _located(name: str) -> _Place:
    path = Path(name)
    if not name.strip():
        raise UsageError("names no network", where="hf:", expected=_NAMED)
    if path.is_dir():
        folder = path.resolve()
        return _Place(folder, folder.name)
    try:
        parse_name(name)
    except UsageError as error:
        raise UsageError(
            "there is no such folder, nor can it be the name of a repository",
            where=f"hf:{name}",
            expected=_NAMED,
        ) from error
    snapshot = stored_snapshot(name)
    if snapshot is None:
        raise WeightsError(
            "there is no such folder, and no repository of this name was fetched",
            where=f"hf:{name}",
            remedy=f"`bench weights fetch hf:{name}` fetches it from the Hugging Face Hub",
        )
    folder = Path(snapshot.folder)
    if not folder.is_dir():
        raise WeightsError(
            "is no longer in Hugging Face's cache",
            where=f"hf:{name}",
            expected=folder,
            remedy=f"`bench weights fetch {snapshot.name}`",
        )
    return _Place(folder, snapshot.repository, snapshot)


def _assumed(place: _Place, config: Config, how: Preprocessing) -> WeightsDescription:
    """What is known without the YAML file; the views of unknown networks lie side by side."""
    snapshot = place.snapshot
    published = None if snapshot is None else PUBLISHED.get(snapshot.repository)
    views = Views(
        window=config.frames,
        stride=config.frames,
        tail="loop",
        average="softmax",
        min_frames=1 if config.architecture.any_frames else config.frames,
    )
    if published is not None:
        how = replace(how, rate=published.rate, every=published.every)
        views = replace(
            views,
            tail=published.tail,
            average=published.average,
            clips=published.clips,
            crops=published.crops,
        )
    return WeightsDescription(
        name=place.name if snapshot is None else f"{snapshot.repository}@{snapshot.commit[:12]}",
        stream="rgb",
        format=FORMAT,
        preprocessing=how,
        views=views,
        labels=config.labels,
        licence=NOT_STATED if snapshot is None else snapshot.licence,
        source="the user's folder" if snapshot is None else snapshot.source,
        paper=config.architecture.paper,
        # Another revision, or a mirror's files, may be other weights.
        figures=published.figures if published and snapshot and snapshot.published else None,
    )


def _require_sampling(place: _Place) -> None:
    known = place.snapshot is not None and place.snapshot.repository in PUBLISHED
    if not known and not states(place.described, "every", "rate"):
        raise WeightsError(
            "nothing says how frames are sampled for this network: its files do not, and a wrong rate gives "
            "wrong predictions",
            where=f"hf:{place.name}",
            remedy=f"Write into {sidecar_path(place.described)} a line like `every: 4` (every fourth of the "
            "video's frames, as in 16×4) or `rate: 7.5` (frames a second), as the network was trained",
        )


def _check_fits(description: WeightsDescription, config: Config, place: _Place) -> None:
    """Raise WeightsError if the YAML file says something that the network cannot take."""
    where, classes = sidecar_path(place.described), len(labels(config.labels))
    if (named := len(labels(description.labels))) != classes:
        raise WeightsError(
            "`labels` are not as many as the network's", where=where, expected=classes, found=named
        )
    if (crop := description.preprocessing.crop) != config.side:
        raise WeightsError(
            "`crop` is not the side of the network's pictures", where=where, expected=config.side, found=crop
        )
    if not config.architecture.any_frames and (window := description.views.window) != config.frames:
        raise WeightsError(
            "`window` is not the length that the network takes",
            where=where,
            expected=config.frames,
            found=window,
        )


def _macs(folder: Path, streams: Mapping[str, Triple], classes: int) -> int:
    """See `Model.macs`: counted on the network as transformers builds it."""
    from ..flop_counting import macs

    return macs(_build(folder), streams, classes)


@lru_cache(maxsize=16)
def _build(folder: Path) -> partial[VideoClassifier]:
    from .torch_network import untrained

    return partial(untrained, folder)
