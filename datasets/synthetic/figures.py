"""How the figures of the demo clips move: the joints of a body at a moment of an action.

Lengths are in body heights, x to the front (to the right, before a clip is mirrored) and y down, from a
point on the ground below the figure. Angles are in radians from straight down, towards the front. The
proportions are rough ones of an adult, the head larger so that it shows in small pictures.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import acos, atan2, cos, hypot, pi, sin

Point = tuple[float, float]
Colour = tuple[float, float, float]
Limb = tuple[Point, Point, Point]

TORSO = 0.30
NECK = 0.12
"""From the shoulders to the centre of the head."""
UPPER_ARM, FOREARM = 0.17, 0.17
THIGH, SHIN = 0.25, 0.25


@dataclass(frozen=True, slots=True)
class Pose:
    """Positions of the joints.

    - `head`: centre of the head.
    - `neck`: between the shoulders.
    - `pelvis`: between the hips.
    - `arms`: (shoulder, elbow, hand), `legs`: (hip, knee, ankle); the one farther from the camera first.
    - `toes`: tips of the feet, in the order of `legs`.
    - `facing`: seen from the front, so that the arms are drawn over the head.
    """

    head: Point
    neck: Point
    pelvis: Point
    arms: tuple[Limb, Limb]
    legs: tuple[Limb, Limb]
    toes: tuple[Point, Point]
    facing: bool = False


# Colours of scenes, RGB in 0–1.
WOODS, GRASS = (0.45, 0.55, 0.45), (0.38, 0.52, 0.28)
SEA, SAND = (0.50, 0.62, 0.74), (0.66, 0.58, 0.42)
BRICK, ASPHALT = (0.62, 0.42, 0.36), (0.36, 0.36, 0.38)
PLASTER, BOARDS = (0.74, 0.71, 0.64), (0.56, 0.40, 0.26)
CURTAIN, MIRROR, RUBBER = (0.42, 0.22, 0.26), (0.56, 0.60, 0.66), (0.24, 0.26, 0.32)


@dataclass(frozen=True, slots=True)
class Motion:
    """An action.

    - `pose`: cycles since the start, a real number → the pose; it has period 1.
    - `period_s`: seconds a cycle takes, the shortest and the longest.
    - `height`: body height over frame height, the least and the greatest.
    - `ground`: where the ground is, in frame heights from the top; beyond 1 for a close-up.
    - `centre`: x, in body heights, of the middle of the figure.
    - `pan`: speed of the camera, body heights a second, with which it follows the figure.
    - `scene`: colours (RGB in 0–1) above and below the horizon. As in real video, people do some things in
      some places, and a network that sees no motion can learn that much.
    """

    pose: Callable[[float], Pose]
    period_s: tuple[float, float]
    height: tuple[float, float]
    ground: float = 0.9
    centre: float = 0.0
    pan: tuple[float, float] = (0.0, 0.0)
    scene: tuple[Colour, Colour] = ((0.6, 0.6, 0.6), (0.45, 0.45, 0.45))


def _step(start: Point, length: float, angle: float) -> Point:
    return start[0] + length * sin(angle), start[1] + length * cos(angle)


def _hang(start: Point, upper: float, upper_angle: float, lower: float, lower_angle: float) -> Limb:
    """A limb of two bones by the angles of the bones."""
    middle = _step(start, upper, upper_angle)
    return start, middle, _step(middle, lower, lower_angle)


def _reach(start: Point, target: Point, upper: float, lower: float, bend: float) -> Limb:
    """A limb of two bones from `start` towards `target`, its joint on the side that `bend` (±1) says."""
    dx, dy = target[0] - start[0], target[1] - start[1]
    distance = min(hypot(dx, dy), 0.999 * (upper + lower))
    direction = atan2(dx, dy)
    inside = acos((upper**2 + distance**2 - lower**2) / (2 * upper * distance))
    return start, _step(start, upper, direction + bend * inside), _step(start, distance, direction)


def _toe(leg: Limb) -> Point:
    """Tip of a foot at a right angle to the shin."""
    _, knee, ankle = leg
    return _step(ankle, 0.08, atan2(ankle[0] - knee[0], ankle[1] - knee[1]) + pi / 2)


def _side_view(
    pelvis: Point, lean: float, arms: Callable[[Point], tuple[Limb, Limb]], legs: tuple[Limb, Limb]
) -> Pose:
    """A pose seen from the side, its trunk at `lean` from upright to the front."""
    neck = _step(pelvis, TORSO, pi - lean)
    far, near = legs
    return Pose(_step(neck, NECK, pi - lean), neck, pelvis, arms(neck), legs, (_toe(far), _toe(near)))


def jogging(cycle: float) -> Pose:
    """Two strides: bent arms against the legs, heels up behind, the trunk leaning forward and bouncing."""
    phases = (2 * pi * cycle, 2 * pi * cycle + pi)
    pelvis = (0.0, -0.5 - 0.025 * cos(2 * phases[0]))

    def leg(phase: float) -> Limb:
        thigh = 0.2 + 0.75 * sin(phase)
        flexion = 0.3 + 0.75 * (1 + cos(phase + 0.4)) / 2 * 1.8
        return _hang(pelvis, THIGH, thigh, SHIN, thigh - flexion)

    def arm(shoulder: Point, phase: float) -> Limb:
        upper = -0.15 - 0.85 * sin(phase)
        return _hang(shoulder, UPPER_ARM, upper, FOREARM, upper + 1.6)

    return _side_view(
        pelvis,
        0.18,
        lambda neck: (arm(neck, phases[0]), arm(neck, phases[1])),
        (leg(phases[0]), leg(phases[1])),
    )


def marching(cycle: float) -> Pose:
    """Two strides: knees lifted to the hip in turn, stretched arms, the trunk upright."""
    phases = (2 * pi * cycle, 2 * pi * cycle + pi)
    pelvis = (0.0, -0.5)

    def leg(phase: float) -> Limb:
        lift = max(0.0, sin(phase))
        thigh = 1.5 * lift - 0.25 * max(0.0, -sin(phase))
        return _hang(pelvis, THIGH, thigh, SHIN, thigh - 1.5 * lift)

    def arm(shoulder: Point, phase: float) -> Limb:
        swing = -0.8 * sin(phase)
        return _hang(shoulder, UPPER_ARM, swing, FOREARM, swing + 0.1)

    return _side_view(
        pelvis,
        0.0,
        lambda neck: (arm(neck, phases[0]), arm(neck, phases[1])),
        (leg(phases[0]), leg(phases[1])),
    )


def squat(cycle: float) -> Pose:
    """Down and up on both feet, arms held out in front."""
    depth = (1 - cos(2 * pi * cycle)) / 2
    pelvis = (-0.02 - 0.16 * depth, -0.49 + 0.25 * depth)

    def leg(offset: float) -> Limb:
        return _reach((pelvis[0] + offset, pelvis[1]), (offset, 0.0), THIGH, SHIN, 1.0)

    def arms(neck: Point) -> tuple[Limb, Limb]:
        angle = 0.5 + 1.0 * depth
        return (
            _hang(neck, UPPER_ARM, angle - 0.1, FOREARM, angle + 0.1),
            _hang(neck, UPPER_ARM, angle, FOREARM, angle + 0.15),
        )

    far, near = leg(0.03), leg(-0.03)
    pose = _side_view(pelvis, 0.1 + 0.6 * depth, arms, (far, near))
    flat = tuple((leg[2][0] + 0.09, leg[2][1] + 0.01) for leg in (far, near))
    return Pose(pose.head, pose.neck, pose.pelvis, pose.arms, pose.legs, (flat[0], flat[1]))


def clapping(cycle: float) -> Pose:
    """The upper body from the front: hands meet before the chest and part."""
    apart = (1 - cos(2 * pi * cycle)) / 2
    pelvis, neck = (0.0, -0.5), (0.0, -0.8)

    def arm(side: float) -> Limb:
        hand = (side * (0.018 + 0.14 * apart), -0.70 + 0.03 * apart)
        return _reach((side * 0.10, -0.785), hand, UPPER_ARM, FOREARM * 0.8, side)

    def leg(side: float) -> Limb:
        return _hang((side * 0.06, -0.5), THIGH, 0.0, SHIN, 0.0)

    legs = (leg(-1.0), leg(1.0))
    return Pose(
        (0.0, -0.94), neck, pelvis, (arm(-1.0), arm(1.0)), legs, (legs[0][2], legs[1][2]), facing=True
    )


def cartwheeling(cycle: float) -> Pose:
    """A wheel over the hands: the body stretched like a star, turning once."""
    turn = 2 * pi * cycle
    # The middle of the body is highest where it stands on both feet or on both hands.
    middle = (0.0, -0.47 - 0.06 * cos(2 * turn))

    def at(x: float, y: float) -> Point:
        """A point of the upright star, turned clockwise."""
        return middle[0] + x * cos(turn) - y * sin(turn), middle[1] + x * sin(turn) + y * cos(turn)

    def limb(x0: float, y0: float, x1: float, y1: float) -> Limb:
        return at(x0, y0), at((x0 + x1) / 2, (y0 + y1) / 2), at(x1, y1)

    return Pose(
        head=at(0.0, -0.29),
        neck=at(0.0, -0.18),
        pelvis=at(0.0, 0.10),
        arms=(limb(-0.08, -0.16, -0.26, -0.44), limb(0.08, -0.16, 0.26, -0.44)),
        legs=(limb(-0.05, 0.12, -0.30, 0.50), limb(0.05, 0.12, 0.30, 0.50)),
        toes=(at(-0.34, 0.55), at(0.34, 0.55)),
        facing=True,
    )


def push_up(cycle: float) -> Pose:
    """Stretched over the ground on hands and toes, down and up."""
    raised = (1 + cos(2 * pi * cycle)) / 2
    ankle, hand_x = (-0.5, -0.06), 0.27
    incline = 0.06 + 0.30 * raised
    along = pi / 2 + incline
    knee = _step(ankle, SHIN, along)
    pelvis = _step(knee, THIGH, along)
    neck = _step(pelvis, TORSO, along)

    def arm(offset: float) -> Limb:
        return _reach(neck, (hand_x + offset, -0.01), UPPER_ARM, FOREARM, -1.0)

    legs: Limb = (pelvis, knee, ankle)
    toe = (ankle[0] + 0.02, 0.0)
    return Pose(
        _step(neck, NECK, along + 0.15), neck, pelvis, (arm(0.05), arm(0.0)), (legs, legs), (toe, toe)
    )


MOTIONS: dict[str, Motion] = {
    "cartwheeling": Motion(
        cartwheeling, (1.2, 1.4), (0.56, 0.62), ground=0.86, pan=(0.1, 0.3), scene=(SEA, SAND)
    ),
    "clapping": Motion(clapping, (0.40, 0.48), (1.25, 1.4), ground=1.38, scene=(CURTAIN, CURTAIN)),
    "jogging": Motion(jogging, (0.62, 0.70), (0.70, 0.78), pan=(0.5, 0.8), scene=(WOODS, GRASS)),
    "marching": Motion(marching, (0.62, 0.70), (0.74, 0.82), pan=(0.2, 0.3), scene=(BRICK, ASPHALT)),
    "push up": Motion(push_up, (0.58, 0.66), (0.74, 0.80), centre=0.08, scene=(PLASTER, BOARDS)),
    "squat": Motion(squat, (0.58, 0.68), (0.74, 0.82), scene=(MIRROR, RUBBER)),
}
"""Class, by its name in Kinetics-400, → how it moves. Slow enough for optical flow to follow, and to be
cheap: TV-L1 takes longer, the farther things move."""
