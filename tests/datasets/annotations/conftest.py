"""VoTT annotations of a video as each of its forms has them, built by the documented schema."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest

Samples = Mapping[float, list[str]]
"""Time in seconds → labels; none for a sample that was visited only."""

TAGS = ("falling", "walking", "end")
BOX = {"left": 10.0, "top": 12.5, "width": 100.25, "height": 80.0}
CORNERS = [{"x": x, "y": y} for x in (10.0, 110.25) for y in (12.5, 92.5)]


def v1(samples: Samples, rate: int) -> dict[str, Any]:
    box = {"x1": 10, "y1": 12.5, "x2": 110.25, "y2": 92.5}
    number = {time_s: round(time_s * rate) + 1 for time_s in samples}
    return {
        "frames": {
            str(number[time_s]): [
                {
                    **box,
                    "width": 640,
                    "height": 480,
                    "box": box,
                    "UID": f"{time_s}-{k}",
                    "id": k,
                    "type": "Rectangle",
                    "tags": [label],
                    "name": k + 1,
                }
                for k, label in enumerate(labels)
            ]
            for time_s, labels in samples.items()
        },
        "framerate": str(rate),
        "inputTags": ",".join(TAGS),
        "suggestiontype": "track",
        "scd": False,
        "visitedFrames": sorted(number.values()),
        "tag_colors": ["#10cffa", "#7fff00", "#ff0000"],
    }


def asset(video: str, time_s: float, labels: list[str], folder: str) -> dict[str, Any]:
    """A frame of a video as VoTT 2 has it, the path encoded and the time to six decimals."""
    path = f"file:{folder}/{quote(video)}"
    time = f"{time_s:.6f}".rstrip("0").rstrip(".")
    parent = {
        "format": video.rpartition(".")[2],
        "id": hashlib.md5(path.encode()).hexdigest(),
        "name": quote(video),
        "path": path,
        "size": {"width": 640, "height": 480},
        "state": 1,
        "type": 2,
    }
    frame = {
        "format": time.rpartition(".")[2],
        "id": hashlib.md5(f"{path}#t={time}".encode()).hexdigest(),
        "name": f"{quote(video)}#t={time}",
        "path": f"{path}#t={time}",
        "size": {"width": 640, "height": 480},
        "state": 2 if labels else 1,
        "type": 3,
        "parent": parent,
        "timestamp": float(time),
    }
    regions = [
        {"id": f"r{k}", "type": "RECTANGLE", "tags": [label], "boundingBox": BOX, "points": CORNERS}
        for k, label in enumerate(labels)
    ]
    return {"asset": frame, "regions": regions, "version": "2.2.0"}


def project(rate: int) -> dict[str, Any]:
    return {
        "name": "Falls",
        "securityToken": "Falls Token",
        "videoSettings": {"frameExtractionRate": rate},
        "tags": [{"name": name, "color": "#5db300"} for name in TAGS],
        "id": "CKyTh0XEU",
        "activeLearningSettings": {"autoDetect": False, "predictTag": True, "modelPathType": "coco"},
        "version": "2.2.0",
        "lastVisitedAssetId": "",
    }


def write_v1(folder: Path, video: str, samples: Samples, rate: int) -> Path:
    return _written(folder / f"{video}.json", v1(samples, rate))


def write_project(folder: Path, video: str, samples: Samples, rate: int) -> Path:
    """As VoTT saves it: a file for each visited asset, the video itself among the project's assets."""
    frames = [asset(video, time_s, labels, "C:/Users/Anton/tagging") for time_s, labels in samples.items()]
    assets = {entry["asset"]["id"]: entry["asset"] for entry in frames}
    parent = frames[0]["asset"]["parent"]
    for entry in frames:
        _written(folder / f"{entry['asset']['id']}-asset.json", entry)
    return _written(folder / "Falls.vott", project(rate) | {"assets": {parent["id"]: parent, **assets}})


def write_assets(folder: Path, video: str, samples: Samples, rate: int) -> Path:
    write_project(folder, video, samples, rate).unlink()
    return folder


def write_export(folder: Path, video: str, samples: Samples, rate: int) -> Path:
    frames = [asset(video, time_s, labels, "/home/anton/tagging") for time_s, labels in samples.items()]
    assets = {entry["asset"]["id"]: entry for entry in frames}
    return _written(folder / "vott-json-export" / "Falls-export.json", project(rate) | {"assets": assets})


def write_csv(folder: Path, video: str, samples: Samples, rate: int) -> Path:  # noqa: ARG001  it is not recorded
    path = folder / "vott-csv-export" / "Falls-export.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC)
        writer.writerow(["image", "xmin", "ymin", "xmax", "ymax", "label"])
        for time_s, labels in samples.items():
            name = asset(video, time_s, labels, "")["asset"]["name"]
            writer.writerows([name, 10.0, 12.5, 110.25, 92.5, label] for label in labels)
    return path


def _written(path: Path, content: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content, indent=4), encoding="utf-8")
    return path


Write = Callable[[Path, str, Samples, int], Path]
FORMS: dict[str, Write] = {
    "v1": write_v1,
    "project": write_project,
    "assets": write_assets,
    "export": write_export,
    "csv": write_csv,
}


@pytest.fixture(scope="session")
def vott() -> dict[str, Write]:
    """Name of a form → function that writes annotations of a video in it and gives the path to read."""
    return FORMS
