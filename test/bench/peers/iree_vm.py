"""IREE, compiled for this CPU from ONNX or, where it does not take that, from
the StableHLO of Keras on JAX. Neither way of lowering convolutions is the faster
for every model: both are compiled and the faster is timed."""
import os
import subprocess
import sys
import time

from peers import Step, export

FLAGS = ["--iree-hal-target-device=local", "--iree-hal-local-target-device-backends=llvm-cpu",
         "--iree-llvmcpu-target-cpu=host", "--iree-opt-level=O3", "--iree-opt-data-tiling",
         "--iree-llvmcpu-enable-ukernels=all"]
VARIANTS = {"direct": [], "im2col": ["--iree-global-opt-use-im2col-for-convs"]}


def tool(name, *arguments):
    command = [os.path.join(os.path.dirname(sys.executable), name), *map(str, arguments)]
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace")
    if done.returncode:
        lines = done.stdout.splitlines()
        raise RuntimeError(next((l for l in lines if "error" in l), f"{name}: exit code {done.returncode}")[:300])


class Iree:
    def __init__(self, threads):
        import iree.compiler.version as version
        import iree.runtime as rt

        rt.flags.parse_flags(f"--task_topology_group_count={threads}")
        self.config = rt.Config("local-sync" if threads == 1 else "local-task")
        self.version = f"iree {version.VERSION}"

    def prepare(self, work):
        failure = None
        for kind in ("onnx", "stablehlo"):
            steps = []
            for variant in VARIANTS:
                try:
                    step = self.load(work, kind, self.compile(work, kind, variant))
                    step.note = f"from {kind}, {variant}"
                    steps.append((self.seconds(step), step))
                except RuntimeError as error:
                    failure = failure or error
            if steps:
                return min(steps, key=lambda s: s[0])[1]
        raise failure

    @staticmethod
    def seconds(step):
        step.run()
        least, end = 1e9, time.perf_counter() + 0.3
        while time.perf_counter() < end:
            start = time.perf_counter()
            step.run()
            least = min(least, time.perf_counter() - start)
        return least

    @staticmethod
    def compile(work, kind, variant):
        path = work.folder / f"b{work.batch}-{kind}-{variant}.vmfb"
        if path.exists():
            return path
        source, more = export.path(work, kind), ["--iree-input-type=stablehlo"]
        if kind == "onnx":
            mlir, more = source + ".mlir", []
            tool("iree-import-onnx", source, "-o", mlir)
            source = mlir
        part = path.with_suffix(f".{os.getpid()}")
        tool("iree-compile", source, "-o", part, *FLAGS, *VARIANTS[variant], *more)
        part.rename(path)
        return path

    def load(self, work, kind, path):
        import iree.runtime as rt

        module = rt.load_vm_module(rt.VmModule.mmap(self.config.vm_instance, str(path)), self.config)
        inputs = work.data()[0]
        if kind == "onnx":
            import onnx

            graph = onnx.load(export.path(work, "onnx"), load_external_data=False).graph
            call = module[graph.name]
            arrays = [export.input_of(inputs, port.name, position) for position, port in enumerate(graph.input)]
        else:
            call, arrays = module["main"], list(inputs.values())
        arrays = [rt.asdevicearray(self.config.device, a) for a in arrays]
        return Step(lambda: call(*arrays), lambda out: out.to_host())
