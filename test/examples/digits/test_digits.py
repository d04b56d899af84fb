"""The quickstart's road: a Keras JSON file becomes a program that learns."""
import re

import numpy as np
import pytest
from conftest import DIGITS, TEST, TRAIN, run


@pytest.fixture(scope="module")
def trained(digits, scratch):
    weights = scratch / "digits.safetensors"
    run(digits, "fit", *TRAIN, "--epochs", 20, "--seed", 1, "--save", weights, "--quiet")
    return weights


def test_it_learns(digits, trained):
    (logs,) = run(digits, "evaluate", *TEST, "--weights", trained, "--json").json()
    assert set(logs) >= {"loss", "accuracy"}
    assert logs["accuracy"] >= 0.97


def test_predictions_agree_with_the_evaluation(digits, trained, tmp_path):
    run(digits, "predict", "--input", DIGITS / "x_test.npy", "--weights", trained, "--output", tmp_path / "p.npy")
    run(digits, "predict", "--input", DIGITS / "x_test.npy", "--weights", trained, "--output", tmp_path / "p.csv")
    probabilities = np.load(tmp_path / "p.npy")
    assert probabilities.shape == (359, 10)
    assert np.allclose(probabilities.sum(1), 1, atol=1e-5)
    (logs,) = run(digits, "evaluate", *TEST, "--weights", trained, "--json").json()
    accuracy = (probabilities.argmax(1) == np.load(DIGITS / "y_test.npy")).mean()
    assert accuracy == pytest.approx(logs["accuracy"], abs=1e-4)
    lines = (tmp_path / "p.csv").read_text().splitlines()[-359:]
    table = np.array([[float(v) for v in line.split(",")] for line in lines])
    assert np.allclose(table, probabilities, atol=1e-6)


def test_an_epoch_has_a_line_as_keras_prints_it(digits):
    result = run(digits, "fit", *TRAIN, "--epochs", 2, "--validation-split", 0.1)
    text = result.out + result.err
    assert re.search(r"Epoch 1/2", text) and re.search(r"Epoch 2/2", text), result
    assert re.search(r"41/41 .*(s|ms|us)/step - accuracy: 0\.\d{4} - loss: \d\.\d{4} - val_accuracy: 0\.\d{4} - val_loss: ", text), result
    assert "\x1b" not in text and "\x08" not in text, "a progress bar although this is no terminal"


def test_predictions_of_one_sample_and_of_all_agree(digits, trained, tmp_path):
    x = np.load(DIGITS / "x_test.npy")
    np.save(tmp_path / "one.npy", x[:1])
    run(digits, "predict", "--input", tmp_path / "one.npy", "--weights", trained, "--output", tmp_path / "one_out.npy")
    run(digits, "predict", "--input", DIGITS / "x_test.npy", "--weights", trained, "--output", tmp_path / "all.npy", "--batch-size", 1000)
    run(digits, "predict", "--input", DIGITS / "x_test.npy", "--weights", trained, "--output", tmp_path / "odd.npy", "--batch-size", 7)
    whole = np.load(tmp_path / "all.npy")
    assert np.allclose(np.load(tmp_path / "one_out.npy"), whole[:1], atol=1e-6)
    assert np.allclose(np.load(tmp_path / "odd.npy"), whole, atol=1e-6)


def test_small(digits):
    assert digits.stat().st_size <= 300_000


def test_info(digits):
    text = run(digits, "info").out
    for word in ("image", "(N, 8, 8, 1)", "38282", "conv2d", "dense_1"):
        assert word in text, text


def test_one_thread_and_two_agree_bit_for_bit(digits, tmp_path):
    for threads in (1, 2, 5):
        run(digits, "fit", *TRAIN, "--epochs", 2, "--seed", 3, "--threads", threads, "--quiet",
            "--save", tmp_path / f"{threads}.safetensors")
    one = (tmp_path / "1.safetensors").read_bytes()
    assert one == (tmp_path / "2.safetensors").read_bytes()
    assert one == (tmp_path / "5.safetensors").read_bytes()
