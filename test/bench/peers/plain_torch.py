"""The networks written in torch itself (torch_networks.py), eager or compiled."""
from peers import Step


class Torch:
    compiled = False

    def __init__(self, threads):
        import torch

        torch.set_num_threads(threads)
        torch.set_num_interop_threads(1)
        self.version = f"torch {torch.__version__}"

    def prepare(self, work):
        import torch

        from peers import torch_networks

        network, to_layout, loss_of, make_optimizer = torch_networks.build(work.model.stem)
        inputs, target = work.data()
        x = [to_layout(torch.from_numpy(a)) for a in inputs.values()]
        if work.mode == "infer":
            network.eval()
            forward = self.compile(network, freeze=True)

            def infer():
                with torch.no_grad():
                    return forward(*x)

            return Step(infer)
        y = torch_networks.target(work.model.stem, torch.from_numpy(target))
        optimizer, forward = make_optimizer(network), self.compile(network.train())

        def train():
            optimizer.zero_grad(set_to_none=True)
            loss = loss_of(forward(*x), y)
            loss.backward()
            optimizer.step()
            return loss.detach()

        return Step(train)

    def compile(self, network, freeze=False):
        if not self.compiled:
            return network
        import torch
        import torch._inductor.config

        torch._inductor.config.freezing = freeze
        torch._dynamo.reset()  # another batch size must not become a dynamic shape
        return torch.compile(network, dynamic=False)


class TorchCompile(Torch):
    compiled = True
