# How lit runs the IR tests and the tests of the tools.
import os
import sys

import lit.formats

config.name = "Cornu"
config.test_format = lit.formats.ShTest(execute_external=False)
config.suffixes = [".mlir", ".test"]
config.test_source_root = os.path.dirname(__file__)
config.test_exec_root = os.path.join(config.cornu_obj_root, "test")
# The unit tests and the conformance tests have runners of their own.
config.excludes = ["unit", "conformance", "fuzz", "examples", "Inputs"]

config.environment["PATH"] = os.pathsep.join(
    [
        os.path.join(config.cornu_obj_root, "bin"),
        config.llvm_tools_dir,
        config.environment.get("PATH", os.environ["PATH"]),
    ]
)
for name in ("KERAS_BACKEND", "HOME"):
    if name in os.environ:
        config.environment[name] = os.environ[name]

config.substitutions.append(("%cornu-include", config.cornu_include_dir))
config.substitutions.append(("%cc", config.c_compiler))
config.substitutions.append(("%cxx", config.cxx_compiler))
# That of .venv, where lit is installed: the build may be older than it.
config.substitutions.append(("%python", sys.executable))

# Features that a test can ask for with REQUIRES.
config.available_features.add(config.host_arch + "-host")
if config.aarch64_gcc and config.aarch64_qemu:
    config.available_features.add("run-aarch64")
    config.substitutions.append(("%aarch64-gcc", config.aarch64_gcc))
    config.substitutions.append(
        ("%qemu-aarch64", config.aarch64_qemu + " -L /usr/aarch64-linux-gnu")
    )
