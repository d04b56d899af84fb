"""check_tuned.py STRATEGIES KERNELS.mlir DEFAULT TUNED: every strategy of the
file is one of a kernel's, and both programs predict and learn the same."""
import json
import re
import subprocess
import sys

import numpy as np

strategies, kernels, default, tuned = sys.argv[1:]
found = json.load(open(strategies))
text = open(kernels).read()
assert found["kernels"]
for kernel in found["kernels"]:
    assert re.fullmatch("[0-9a-f]{16}", kernel["key"])
    assert kernel["strategies"] != kernel["default"]
    for strategy in kernel["strategies"]:
        assert strategy in text, strategy

info = json.loads(subprocess.check_output([default, "info", "--json"]))
shape = lambda tensors: [int(n) for n in tensors[0]["shape"] if n not in (None, -1)]
random = np.random.default_rng(1)
data, target = strategies + ".x.npy", strategies + ".y.npy"
np.save(data, random.normal(size=[64] + shape(info["inputs"])).astype("float32"))
np.save(target, random.normal(size=[64] + shape(info["outputs"])).astype("float32"))
predicted = []
for program in default, tuned:
    weights, output = program + ".safetensors", program + ".npy"
    subprocess.check_call([program, "fit", "--input", data, "--target", target, "--epochs", "2",
                           "--shuffle=false", "--save", weights, "--quiet"])
    subprocess.check_call([program, "predict", "--input", data, "--output", output, "--weights", weights])
    predicted.append(np.load(output))
np.testing.assert_allclose(predicted[0], predicted[1], rtol=1e-4, atol=1e-5)
