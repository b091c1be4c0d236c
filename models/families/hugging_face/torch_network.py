"""Networks of transformers in torch, with the library's own code and nothing of a folder's."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from ....errors import BackendUnavailable, UsageError, WeightsError
from ....plain_text import plain_line
from ...backends.torch_layers import HALF
from ...backends.torch_network import TorchNetwork
from ...parity import with_mantissa
from ...spec import LoadOptions, Model, Network, Weights
from .architectures import Architecture
from .config import read_config


class VideoClassifier(torch.nn.Module):
    """A network of transformers that maps (N, C, T, H, W) to logits, as our networks do.

    - `net`: the network.
    - `architecture`: which it is.
    """

    def __init__(self, net: torch.nn.Module, architecture: Architecture) -> None:
        super().__init__()
        self.net = net
        self._pixels = architecture.pixels

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(N, C, T, H, W) to (N, classes)."""
        logits: torch.Tensor = self.net(**{self._pixels: x.transpose(1, 2)}).logits
        return logits


def load(model: Model, weights: Mapping[str, Weights], options: LoadOptions) -> Network:
    """The network with `weights["rgb"]`, ready to compute.

    The variant "plain" computes attention as products of matrices, the others with torch's fused function
    where transformers has it. Raises WeightsError if the tensors are not those of the network.
    """
    given, folder = weights["rgb"], model.own_weights["rgb"]
    attention = "eager" if options.variant == "plain" else None
    if given.kind == "random":
        net = untrained(folder, seed=given.seed, attention=attention)
    elif given.path == folder:
        net = _trained(folder, attention)
    else:
        raise UsageError(
            "has its weights in its own folder and takes no others",
            where=f"--weights {model.name}",
            expected=folder,
            found=given.path or given.kind,
            remedy="Name the other folder as a model: hf:FOLDER",
        )
    if given.mantissa is not None:
        _round(net, given.mantissa)
    net = net.to(HALF.get(options.precision, torch.float32))
    return TorchNetwork(model, {"rgb": net}, options, weights=weights)


def untrained(
    folder: Path, _classes: int = 0, *, seed: int = 0, attention: str | None = None
) -> VideoClassifier:
    """The network of a folder's config.json with the random weights that its training would begin with.

    - `folder`: of the network.
    - `seed`: of the weights.
    - `attention`: in transformers' words; None for the architecture's.
    """
    config = read_config(folder)
    with _library(folder) as transformers, torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        net = transformers.AutoModelForVideoClassification.from_config(
            transformers.AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False),
            attn_implementation=attention or config.architecture.attention,
            trust_remote_code=False,
            dtype=torch.float32,
        )
    return VideoClassifier(net.eval(), config.architecture)


def _trained(folder: Path, attention: str | None) -> VideoClassifier:
    config = read_config(folder)
    with _library(folder) as transformers:
        net, found = transformers.AutoModelForVideoClassification.from_pretrained(
            folder,
            local_files_only=True,
            trust_remote_code=False,
            use_safetensors=True,
            attn_implementation=attention or config.architecture.attention,
            dtype=torch.float32,
            output_loading_info=True,
        )
    if missing := found["missing_keys"]:
        raise WeightsError(
            "lacks tensors of the network, which would be random", where=folder, found=_in_words(missing)
        )
    broken = [name for name, tensor in net.named_parameters() if not bool(tensor.isfinite().all())]
    if broken:
        raise WeightsError("holds numbers that are not finite", where=folder, found=_in_words(broken))
    if extra := found["unexpected_keys"]:
        warnings.warn(
            f"{folder}: not used are tensors that {config.architecture.network} does not have: "
            f"{_in_words(extra)}",
            stacklevel=2,
        )
    return VideoClassifier(net.eval(), config.architecture)


def _in_words(names: Any) -> str:
    names = sorted(map(str, names))
    return plain_line(", ".join(names[:5]) + (f", … ({len(names)} in all)" if len(names) > 5 else ""))


def _round(net: torch.nn.Module, bits: int) -> None:
    """Round all tensors of a network to so many mantissa bits."""
    with torch.no_grad():
        for tensor in (*net.parameters(), *net.buffers()):
            if tensor.is_floating_point():
                tensor.copy_(torch.from_numpy(with_mantissa(tensor.numpy(), bits)))


@contextmanager
def _library(folder: Path) -> Iterator[Any]:
    """transformers without its progress bars and messages; what it raises becomes an error of ours."""
    try:
        import transformers
    except ImportError as error:
        raise BackendUnavailable(
            "networks of Hugging Face need a package that is not installed: transformers",
            where=f"hf:{folder}",
            remedy=f"`pip install 'actionbench[transformers]'` for {sys.executable}",
        ) from error
    transformers.logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    transformers.logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        yield transformers
    except MemoryError:
        raise
    except Exception as error:  # whatever its checks of a stranger's values raise
        raise WeightsError(
            "cannot be loaded by transformers",
            where=folder,
            found=f"{type(error).__name__}: {plain_line(str(error))[:500]}",
        ) from error
