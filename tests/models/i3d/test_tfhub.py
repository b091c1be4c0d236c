"""TensorFlow Hub's module format, on a module that the test writes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

WRITE_AND_USE = """
import os
from pathlib import Path
from actionbench.errors import WeightsError
from actionbench.models.backends.tensorflow_network import configure, tf
from actionbench.models.registry import find_model, load_network
from actionbench.models.spec import LoadOptions, Weights
from actionbench.models.weights.descriptions import description
configure(LoadOptions(threads=1))  # before TensorFlow computes anything
v1 = tf.compat.v1
w = np.random.default_rng(0).normal(size=(3, 400)).astype(np.float32)

def write_tf1(folder):
    with tf.Graph().as_default() as graph, v1.Session(graph=graph) as session:
        x = v1.placeholder(tf.float32, (None, None, 224, 224, 3))
        v = v1.get_variable("w", initializer=w, use_resource=True)
        y = tf.reduce_mean(x, (1, 2, 3)) @ v
        info = v1.saved_model.utils.build_tensor_info
        make = v1.saved_model.signature_def_utils.build_signature_def
        session.run(v.initializer)
        builder = v1.saved_model.Builder(folder)
        signatures = {"default": make({"x": info(x)}, {"default": info(y)})}
        builder.add_meta_graph_and_variables(session, [], signature_def_map=signatures)
        builder.save()
    open(os.path.join(folder, "tfhub_module.pb"), "wb").close()

class Module(tf.Module):
    def __init__(self, w):
        super().__init__()
        self.w = tf.Variable(w)

    @tf.function(input_signature=[tf.TensorSpec((None, None, 224, 224, 3))])
    def logits(self, x):
        return {"default": tf.reduce_mean(x, (1, 2, 3)) @ self.w}

def write_tf2(folder, signature, w):
    module = Module(w)
    tf.saved_model.save(module, folder, {signature: module.logits})

os.chdir(sys.argv[2])
write_tf1("tf1")
write_tf2("tf2", "default", w)
write_tf2("narrow", "default", w[:, :399])
write_tf2("renamed", "other", w)

request = find_model("i3d-rgb@tfhub")
each = description("tfhub-module-i3d-kinetics-400")
x = np.random.default_rng(1).uniform(-1, 1, (2, 9, 224, 224, 3)).astype(np.float32)
answers = {"w": w, "mean": x.mean((1, 2, 3)), "range": each.preprocessing.mean[0]}

def use(name, weights):
    try:
        network = load_network(request, {"rgb": weights}, LoadOptions(threads=1))
    except WeightsError as error:
        answers[name] = str(error)
    else:
        answers[name] = network.download(network.forward(network.upload({"rgb": x})))

for name in ("tf1", "tf2", "narrow", "renamed", "absent"):
    use(name, Weights("user", each, Path(sys.argv[2]) / name))
use("url", Weights("user", each, Path("https://tfhub.dev/deepmind/i3d-kinetics-400/1")))
use("random", Weights("random", each))
give(**answers)
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, run_with_tensorflow: Any) -> dict[str, Any]:
    found: dict[str, Any] = run_with_tensorflow(WRITE_AND_USE, tmp_path_factory.mktemp("modules"))
    return found


@pytest.mark.parametrize("form", ["tf1", "tf2"])
def test_module_computes(answers: dict[str, Any], form: str) -> None:
    np.testing.assert_allclose(answers[form], answers["mean"] @ answers["w"], atol=1e-5)


def test_range_is_that_of_the_training(answers: dict[str, Any]) -> None:
    assert answers["range"] == 1.0  # the mean that is taken from pixels in [0, 2]


@pytest.mark.parametrize(
    ("case", "says"),
    [
        ("narrow", "expected (N, 400)"),
        ("renamed", "has no signature 'default'"),
        ("absent", "there is no hub module"),
        ("url", "a run downloads nothing"),
        ("random", "no random weights"),
    ],
)
def test_what_does_not_fit_is_an_error(answers: dict[str, Any], case: str, says: str) -> None:
    assert says in str(answers[case])
