"""Painting a figure in front of a background: shaded limbs, clothes, a moving texture."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil, floor

import cv2
import numpy as np
import numpy.typing as npt

from .figures import Colour, Point, Pose

Canvas = npt.NDArray[np.float32]

LIGHT = np.array((-0.45, -0.6, 0.66), np.float32)
"""Direction to the light: from the upper left, before the picture. Unit length."""


@dataclass(frozen=True, slots=True)
class Clothes:
    """Colours of a figure, RGB in [0, 1], and its build: a factor on the thickness of its limbs."""

    skin: Colour
    hair: Colour
    shirt: Colour
    trousers: Colour
    shoes: Colour
    build: float


def paint_capsule(
    canvas: Canvas, start: Point, end: Point, radii: tuple[float, float], colour: Colour, opacity: float = 1.0
) -> None:
    """Paint a rounded, shaded bar in place; its edge is smoothed over one pixel.

    - `canvas`: (H, W, 3) float32 RGB in [0, 1].
    - `start`, `end`: (x, y) of its ends, pixels.
    - `radii`: at either end, pixels.
    - `colour`: RGB in [0, 1].
    - `opacity`: 0 to 1.
    """
    height, width = canvas.shape[:2]
    reach = max(radii) + 1
    left = max(0, floor(min(start[0], end[0]) - reach))
    right = min(width, ceil(max(start[0], end[0]) + reach) + 1)
    top = max(0, floor(min(start[1], end[1]) - reach))
    bottom = min(height, ceil(max(start[1], end[1]) + reach) + 1)
    if left >= right or top >= bottom:
        return
    x = np.arange(left, right, dtype=np.float32)[None, :] - np.float32(start[0])
    y = np.arange(top, bottom, dtype=np.float32)[:, None] - np.float32(start[1])
    along_x, along_y = np.float32(end[0] - start[0]), np.float32(end[1] - start[1])
    length2 = max(along_x * along_x + along_y * along_y, np.float32(1e-6))
    share = np.clip((x * along_x + y * along_y) / length2, 0, 1)
    off_x, off_y = x - share * along_x, y - share * along_y
    radius = np.float32(radii[0]) + share * np.float32(radii[1] - radii[0])
    distance = np.sqrt(off_x * off_x + off_y * off_y)
    cover = np.clip(radius - distance + np.float32(0.5), 0, 1) * np.float32(opacity)
    # The surface's normal, as of a round bar: sideways at the edge, towards the viewer in the middle.
    normal_z = np.sqrt(np.clip(1 - (distance / radius) ** 2, 0, 1))
    lit = np.clip((off_x * LIGHT[0] + off_y * LIGHT[1]) / radius + normal_z * LIGHT[2], 0, 1)
    shaded = (np.float32(0.5) + np.float32(0.6) * lit)[..., None] * np.array(colour, np.float32)
    patch = canvas[top:bottom, left:right]
    patch += cover[..., None] * (shaded - patch)


def paint_figure(
    canvas: Canvas, pose: Pose, clothes: Clothes, origin: Point, scale: float, mirrored: bool
) -> None:
    """Paint a figure in place.

    - `canvas`: (H, W, 3) float32 RGB in [0, 1].
    - `pose`: its joints.
    - `clothes`: its colours.
    - `origin`: (x, y) of the point on the ground below it, pixels.
    - `scale`: its height, pixels.
    - `mirrored`: it faces left.
    """
    side = -1.0 if mirrored else 1.0

    def at(point: Point) -> Point:
        return origin[0] + side * scale * point[0], origin[1] + scale * point[1]

    def bar(start: Point, end: Point, thick: tuple[float, float], colour: Colour, light: float = 1.0) -> None:
        radii = (thick[0] * clothes.build * scale, thick[1] * clothes.build * scale)
        red, green, blue = colour
        paint_capsule(canvas, at(start), at(end), radii, (red * light, green * light, blue * light))

    def leg(index: int, light: float) -> None:
        hip, knee, ankle = pose.legs[index]
        bar(ankle, pose.toes[index], (0.028, 0.022), clothes.shoes, light)
        bar(hip, knee, (0.062, 0.045), clothes.trousers, light)
        bar(knee, ankle, (0.043, 0.030), clothes.trousers, light)

    def arm(index: int, light: float) -> None:
        shoulder, elbow, hand = pose.arms[index]
        bar(elbow, hand, (0.030, 0.026), clothes.skin, light)
        bar(hand, hand, (0.034, 0.034), clothes.skin, light)
        bar(shoulder, elbow, (0.043, 0.034), clothes.shirt, light)

    def head() -> None:
        bar(pose.neck, pose.head, (0.035, 0.035), clothes.skin)
        bar(pose.head, pose.head, (0.078, 0.078), clothes.skin)
        x, y = pose.head
        up_x, up_y = (x - pose.neck[0]) * 0.35, (y - pose.neck[1]) * 0.35
        back = 0.0 if pose.facing else -0.022
        bar((x + up_x + back, y + up_y), (x + up_x + back, y + up_y), (0.062, 0.062), clothes.hair)

    far_light = 1.0 if pose.facing else 0.72
    if not pose.facing:
        arm(0, far_light)
    leg(0, far_light)
    leg(1, 1.0)
    hips, chest = (0.075, 0.105) if pose.facing else (0.068, 0.080)
    bar(pose.pelvis, pose.neck, (hips, chest * 0.85), clothes.shirt)
    head()
    if pose.facing:
        arm(0, 1.0)
    arm(1, 1.0)


def muted(rng: np.random.Generator, darkest: float, brightest: float) -> Colour:
    """A random colour near grey, RGB; `darkest` and `brightest` bound its brightness, in [0, 1]."""
    red, green, blue = rng.uniform(darkest, brightest) + rng.uniform(-0.12, 0.12, 3)
    return float(red), float(green), float(blue)


def varied(rng: np.random.Generator, colour: Colour) -> Colour:
    """`colour` (RGB in [0, 1]) with random changes of brightness and of each channel."""
    red, green, blue = np.array(colour) * rng.uniform(0.85, 1.15) + rng.uniform(-0.05, 0.05, 3)
    return float(red), float(green), float(blue)


def texture(
    rng: np.random.Generator, height: int, width: int, horizon: int, colours: tuple[Colour, Colour]
) -> Canvas:
    """A background (height, width, 3) float32 in [0, 1]: ground below the horizon, blurred boxes above.

    - `rng`: chooses the boxes and the texture.
    - `height`, `width`: pixels.
    - `horizon`: row where the ground begins.
    - `colours`: approximate RGB colours above and below the horizon.
    """
    scene = np.empty((height, width, 3), np.float32)
    scene[:horizon] = varied(rng, colours[0])
    scene[horizon:] = varied(rng, colours[1])
    for _ in range(10):
        x = int(rng.integers(0, width))
        right, top = x + int(rng.integers(8, 30)), horizon - int(rng.integers(10, 60))
        cv2.rectangle(scene, (x, top), (right, horizon), muted(rng, 0.25, 0.8), -1)
    scene = cv2.GaussianBlur(scene, (0, 0), 1.2)
    for cell, strength in ((24, 0.16), (10, 0.12), (5, 0.08)):
        grid = rng.uniform(-1, 1, (height // cell + 2, width // cell + 2)).astype(np.float32)
        noise = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        scene += np.float32(strength) * noise[..., None]
    bounded: Canvas = np.clip(scene, 0.02, 0.98)
    return bounded
