"""NumPy's OpenBLAS: for matmul_1024 alone."""
from peers import Step


class OpenBlas:
    def __init__(self, threads):
        import numpy as np

        self.version = f"numpy {np.__version__}"

    def prepare(self, work):
        import numpy as np

        if work.model.stem != "matmul_1024":
            raise NotImplementedError("only a matrix product")
        (a,) = work.data()[0].values()
        b, c = np.ones((a.shape[1], 1024), "float32"), np.empty((a.shape[0], 1024), "float32")
        return Step(lambda: np.matmul(a, b, out=c))
