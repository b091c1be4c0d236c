"""torchvision's video networks as `tv:NAME`: torchvision is imported when one is loaded, and not before.

All of them are exported as ONNX. The graphs of the networks of convolutions hold for every size of input;
those of Video Swin and MViT for one, since they compute with the sizes of their input in Python, which
tracing turns into constants.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from functools import cache, partial
from typing import TYPE_CHECKING, Final

from ....errors import BackendUnavailable, unknown_name
from ...loading import load_state
from ...spec import InputSizes, LoadOptions, Model, Network, Weights
from ...state import Shapes
from ...transforms import Triple
from ...weights.formats.layout import NOT_WEIGHTS
from .published import NETWORKS, TorchvisionNetwork

if TYPE_CHECKING:
    from types import ModuleType

    import torch

_PREFIX: Final = "tv:"

NAMES: Final = tuple(NETWORKS)
"""See `families.registry.Family`."""

_PAIR: Final = (
    "`pip install torchvision --index-url https://download.pytorch.org/whl/cpu` (the package index has it "
    "for CUDA only)"
)

PACKAGES: Final = {
    "torchvision": f"`pip install 'actionbench[torchvision]'`; beside a torch without CUDA, {_PAIR}"
}
"""See `families.registry.Family`."""

_ELSEWHERE: Final = "Or name an interpreter that has both: `--python torch=PYTHON`."

_TRACED: Final = 32
"""Frames, height and width that a network of convolutions is traced with: quick, and no size in it is 1."""


def model(name: str) -> Model:
    """The network `tv:name`. Raises UsageError if `name` is not one of `NETWORKS`."""
    if name not in NETWORKS:
        raise unknown_name("network of torchvision", name, NETWORKS)
    network = NETWORKS[name]
    return Model(
        name=f"{_PREFIX}{name}",
        title=network.title,
        streams={"rgb": network.description},
        backends={
            "torch": f"{__name__}:load",
            "onnx": "actionbench.models.backends.onnx_network:load",
            "openvino": "actionbench.models.backends.openvino_network:load",
        },
        # Not tried in int8.
        precisions={"openvino": ("fp32", "bf16")},
        paper=network.description.paper,
        macs=partial(_macs, network),
        parameters=partial(_parameters, network),
        details={"min_side": network.min_side},
        sizes=InputSizes() if network.size is None else InputSizes(network.size[0], network.size[1]),
        onnx=partial(onnx_graph, network),
        # Each backend: the graph is traced from torchvision's network.
        packages=PACKAGES,
    )


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with `weights["rgb"]`, ready to compute.

    The variant "plain" computes as torchvision does; "tuned" has its convolutions channels-last in memory,
    as `TorchNetwork` has the input. Raises WeightsError, BackendUnavailable.
    """
    import torch

    from ...backends.torch_layers import HALF
    from ...backends.torch_network import TorchNetwork

    network = NETWORKS[model.name.removeprefix(_PREFIX)]
    net = with_weights(network, weights["rgb"])
    parameters = sum(each.numel() for each in net.parameters())
    net = net.requires_grad_(False).to(HALF.get(options.precision, torch.float32))
    if options.variant != "plain" and (options.device == "cpu" or options.precision != "fp32"):
        net.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return TorchNetwork(model, {"rgb": net}, options, parameters, weights)


def with_weights(network: TorchvisionNetwork, weights: Weights) -> torch.nn.Module:
    """The torch module with `weights`, in evaluation mode. Raises WeightsError, BackendUnavailable."""
    import torch

    state = load_state(weights, partial(_shapes, network), head=network.head, gains={})
    net = build(network, len(state[network.head]))
    tensors = {name: torch.from_numpy(array) for name, array in state.items()}
    net.load_state_dict(net.state_dict() | tensors)
    return net


def build(network: TorchvisionNetwork, classes: int) -> torch.nn.Module:
    """The torch module as torchvision builds it, in evaluation mode, with torchvision's initial values.

    Raises BackendUnavailable if torchvision cannot be imported.
    """
    make: Callable[..., torch.nn.Module] = getattr(_library(), network.builder)
    return make(weights=None, num_classes=classes).eval()


def onnx_graph(network: TorchvisionNetwork, weights: Weights, _wide: bool = False) -> bytes:
    """See `Model.onnx`. `_wide` changes nothing. Raises WeightsError, BackendUnavailable."""
    from ..onnx_export import exported

    net = with_weights(network, weights).requires_grad_(False)
    if network.size is not None:
        return exported(net, network.size, any_size=False)
    side = max(network.min_side, _TRACED)
    return exported(net, (max(network.description.views.min_frames, _TRACED), side, side), any_size=True)


def _shapes(network: TorchvisionNetwork, classes: int) -> Shapes:
    """Name → shape of the tensors that a file of weights holds."""
    from ..flop_counting import on_meta

    state = on_meta(_builder(network), classes).state_dict()
    return {name: tuple(each.shape) for name, each in state.items() if not name.endswith(NOT_WEIGHTS)}


def _macs(network: TorchvisionNetwork, streams: Mapping[str, Triple], classes: int) -> int:
    from ..flop_counting import macs

    return macs(_builder(network), streams, classes)


def _parameters(network: TorchvisionNetwork, _stream: str, classes: int) -> int:
    from ..flop_counting import parameters

    return parameters(_builder(network), classes)


@cache
def _builder(network: TorchvisionNetwork) -> Callable[[int], torch.nn.Module]:
    """`build` of one network, always the same object (`flop_counting.Build`)."""
    return partial(build, network)


def _library() -> ModuleType:
    """`torchvision.models.video`. Raises BackendUnavailable."""
    try:
        from torchvision.models import video
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "torchvision":
            raise
        raise BackendUnavailable(
            "torchvision is not installed",
            where=sys.executable,
            remedy=f"{PACKAGES['torchvision']}. {_ELSEWHERE}",
        ) from error
    except (RuntimeError, ImportError) as error:
        import torch

        raise BackendUnavailable(
            f"torchvision was built for another torch than the one beside it: {error}",
            where=sys.executable,
            expected=f"the torchvision that belongs to torch {torch.__version__}",
            remedy=f"Install the pair: {_PAIR}. {_ELSEWHERE}",
        ) from error
    found: ModuleType = video
    return found
