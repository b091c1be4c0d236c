"""ONNX files of users, which are not trusted, read with care: nothing in them is computed here."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import EncodeError
from onnx import AttributeProto, GraphProto, ModelProto, NodeProto, TensorProto
from onnx.external_data_helper import load_external_data_for_tensor

from ...errors import WeightsError

STANDARD_DOMAINS = ("", "ai.onnx", "ai.onnx.ml")
"""Domains of the operators that ONNX itself defines."""

_EXTERNAL_KEYS = frozenset(("location", "offset", "length", "checksum", "basepath"))
"""Of `TensorProto.external_data`: those that onnx reads and writes (onnx/external_data_helper.py)."""

MOST_BYTES = (1 << 31) - 1
"""Of a network with its weights: what protobuf, and so a graph in bytes, can hold."""


def read_model(file: Path, most: int = MOST_BYTES) -> ModelProto:
    """The model in an ONNX file, without the tensors that it keeps in other files.

    - `file`: to read. `most`: bytes that it may have.

    Raises WeightsError, which names the file, if it cannot be read or is too large.
    """
    try:
        _require_size(file.stat().st_size, most, file)
        content = file.read_bytes()
    except OSError as error:
        raise WeightsError(f"cannot be read: {error.strerror}", where=file) from error
    try:
        return onnx.load_model_from_string(content)
    except Exception as error:  # protobuf's errors, which have no common class of their own
        raise WeightsError("is not an ONNX file that can be read", where=file, found=error) from error


def read_network(file: Path) -> tuple[ModelProto, tuple[Path, ...]]:
    """A network with all its tensors, checked by ONNX's own checker, and the files that it was read from.

    - `file`: the first of them; it may keep tensors in others of its folder, which follow in name order.

    Raises WeightsError as `read_model` and `external_files` do, for operators that ONNX does not define, for
    a version of ONNX that the installed one does not know, and for what ONNX's checker refuses.
    """
    model = read_model(file)
    _require_standard(model, file)
    others = external_files(model, file)
    outside = [tensor for tensor in tensors(model.graph) if tensor.data_location == TensorProto.EXTERNAL]
    try:
        # By what would be read: several tensors may share a part of a file.
        _require_size(file.stat().st_size + sum(_bytes(each, file) for each in outside), MOST_BYTES, file)
        for tensor in outside:
            load_external_data_for_tensor(tensor, str(file.parent))
            tensor.data_location = TensorProto.DEFAULT
            del tensor.external_data[:]
        onnx.checker.check_model(model)
    except MemoryError as error:
        raise WeightsError("does not fit into the memory of this machine", where=file) from error
    except (onnx.checker.ValidationError, EncodeError, ValueError, OSError, OverflowError) as error:
        raise WeightsError(
            "is not a valid ONNX network", where=file, found=" ".join(str(error).split())
        ) from error
    return model, (file, *others)


def external_files(model: ModelProto, file: Path) -> tuple[Path, ...]:
    """The other files that `model`, read from `file`, keeps tensors in, in name order; each is there.

    Raises WeightsError for one that is not in the folder of `file`, nor below it, also by a link, and for a
    tensor that says twice where it is.
    """
    folder = file.resolve().parent
    found = set()
    for tensor in tensors(model.graph):
        if tensor.data_location != TensorProto.EXTERNAL:
            continue
        location = _external(tensor, file).get("location", "")
        other = folder / location
        parts = (*PurePosixPath(location).parts, *PureWindowsPath(location).parts)
        absolute = PurePosixPath(location).is_absolute() or PureWindowsPath(location).anchor != ""
        nowhere = not location or "\0" in location or absolute or ".." in parts
        if nowhere or not other.resolve().is_relative_to(folder):
            raise WeightsError(
                "keeps tensors in a file outside its folder, which is not opened",
                where=file,
                found=repr(location) if location else "no name of a file",
                remedy="Save it as one file: `onnx.save_model(onnx.load(FILE), NEW)`.",
            )
        if not other.is_file():
            raise WeightsError(
                "keeps tensors in a file that is not there",
                where=file,
                expected=location,
                found="no such file",
            )
        found.add(file.parent / location)
    return tuple(sorted(found))


def _external(tensor: TensorProto, file: Path) -> dict[str, str]:
    """What a tensor, in `file`, says of the part of another file that holds it.

    Raises WeightsError for a key that is unknown or repeated: onnx would read another value than the one that
    is checked here.
    """
    keys = [each.key for each in tensor.external_data]
    if len(set(keys)) < len(keys) or not _EXTERNAL_KEYS.issuperset(keys):
        raise WeightsError(
            f"does not say clearly where the tensor '{tensor.name}' is",
            where=file,
            expected=f"{', '.join(sorted(_EXTERNAL_KEYS))} in `external_data`, once each at most",
            found=", ".join(key[:40] for key in keys[:10]) + (f", … ({len(keys)})" if len(keys) > 10 else ""),
            remedy="Save it as one file: `onnx.save_model(onnx.load(FILE), NEW)`.",
        )
    return {each.key: each.value for each in tensor.external_data}


def _bytes(tensor: TensorProto, file: Path) -> int:
    """Bytes that another file holds of a tensor. Raises ValueError unless their number is one, 0 at least."""
    said = _external(tensor, file)
    if "length" not in said:
        return (file.parent / said["location"]).stat().st_size
    if (length := int(said["length"])) < 0:
        raise ValueError(f"the tensor '{tensor.name}' has a negative length")
    return length


def nodes(graph: GraphProto) -> Iterator[NodeProto]:
    """All operations of a graph, those in the graphs of its operations too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            for inner in _graphs(attribute):
                yield from nodes(inner)


def tensors(graph: GraphProto) -> Iterator[TensorProto]:
    """All tensors that a graph holds, those in the graphs of its operations too."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from (attribute.t, *attribute.tensors)
            for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
                yield from (sparse.values, sparse.indices)
            for inner in _graphs(attribute):
                yield from tensors(inner)


def _graphs(attribute: AttributeProto) -> Iterator[GraphProto]:
    if attribute.HasField("g"):
        yield attribute.g
    yield from attribute.graphs


def _require_size(size: int, most: int, file: Path) -> None:
    if size > most:
        raise WeightsError(
            "is too large", where=file, expected=f"at most {most} bytes", found=f"{size} bytes"
        )


def _require_standard(model: ModelProto, file: Path) -> None:
    """Raise WeightsError for operators that ONNX does not define, and for those of a newer version of it."""
    if model.functions:
        raise WeightsError(
            "has functions of its own, which are not computed",
            where=file,
            found=", ".join(function.name for function in model.functions[:5]),
            remedy="Save it without: `onnx.save(onnx.inliner.inline_local_functions(onnx.load(FILE)), NEW)`.",
        )
    foreign = sorted(
        {f"{n.domain}.{n.op_type}" for n in nodes(model.graph) if n.domain not in STANDARD_DOMAINS}
    )
    if foreign:
        raise WeightsError(
            "has operators that ONNX does not define, which are not computed",
            where=file,
            expected=f"operators of {' or '.join(each for each in STANDARD_DOMAINS if each)}",
            found=", ".join(foreign[:5]) + (f", … ({len(foreign)} in all)" if len(foreign) > 5 else ""),
            remedy="Export the network with standard operators only.",
        )
    newest = onnx.defs.onnx_opset_version()
    version = max((each.version for each in model.opset_import if each.domain in ("", "ai.onnx")), default=1)
    if version > newest:
        raise WeightsError(
            "is of a newer version of ONNX than the installed one",
            where=file,
            expected=f"opset {newest} at most, of onnx {onnx.__version__}",
            found=f"opset {version}",
            remedy="Export it with an older opset, or `pip install -U onnx onnxruntime`.",
        )


def type_name(number: int) -> str:
    """The name of a tensor's type as ONNX numbers it, in small letters; a file may hold any number."""
    if number not in TensorProto.DataType.values():
        return f"an unknown type ({number})"
    return str(TensorProto.DataType.Name(number)).lower()
