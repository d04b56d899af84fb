"""The reference networks of models.py as a torch programmer writes them: channels
last, logits and cross-entropy in training, fused optimizers. The weights are
torch's own, so the time is compared and not the answer."""
import torch
from torch import nn
from torch.nn import functional as F


class Head(nn.Module):
    """The last softmax or sigmoid, which in training is part of the loss."""

    def __init__(self, activation):
        super().__init__()
        self.activation = activation

    def forward(self, x):
        return x if self.training else self.activation(x)


def softmax():
    return Head(lambda x: x.softmax(-1))


def conv(inputs, filters, kernel, stride=1, groups=1, bias=False, activation=nn.ReLU):
    """Convolution, batch normalization and activation."""
    padding = kernel // 2 if isinstance(kernel, int) else tuple(k // 2 for k in kernel)
    parts = [nn.Conv2d(inputs, filters, kernel, stride, padding, groups=groups, bias=bias), nn.BatchNorm2d(filters)]
    return nn.Sequential(*parts, *([activation()] if activation else []))


class Residual(nn.Module):
    def __init__(self, body, skip=None, activation=F.relu):
        super().__init__()
        self.body, self.skip, self.activation = body, skip or nn.Identity(), activation

    def forward(self, x):
        return self.activation(self.body(x) + self.skip(x))


def classifier(inputs, classes):
    return [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(inputs, classes), softmax()]


def matmul_1024():
    return nn.Linear(1024, 1024, bias=False)


def mlp_seed():
    return nn.Sequential(nn.Linear(100, 64), nn.ReLU(), nn.Linear(64, 10), softmax())


def mlp_mnist():
    return nn.Sequential(nn.Linear(784, 512), nn.ReLU(), nn.Linear(512, 512), nn.ReLU(), nn.Linear(512, 10), softmax())


def lenet():
    return nn.Sequential(
        nn.Conv2d(1, 32, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(32, 64, 5, padding=2), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(3136, 128), nn.ReLU(), nn.Linear(128, 10), softmax())


def resnet20():
    layers, inputs = [conv(3, 16, 3)], 16
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(3):
            stride = 2 if stage and not block else 1
            body = nn.Sequential(conv(inputs, filters, 3, stride), conv(filters, filters, 3, activation=None))
            layers.append(Residual(body, conv(inputs, filters, 1, 2, activation=None) if stride == 2 else None))
            inputs = filters
    return nn.Sequential(*layers, *classifier(64, 10))


def resnet50():
    layers, inputs = [conv(3, 64, 7, 2, bias=True), nn.MaxPool2d(3, 2, 1)], 64
    for stage, (filters, blocks) in enumerate(((64, 3), (128, 4), (256, 6), (512, 3))):
        for block in range(blocks):
            stride, out = 2 if stage and not block else 1, 4 * filters
            body = nn.Sequential(conv(inputs, filters, 1, stride, bias=True), conv(filters, filters, 3, bias=True),
                                 conv(filters, out, 1, bias=True, activation=None))
            layers.append(Residual(body, None if block else conv(inputs, out, 1, stride, bias=True, activation=None)))
            inputs = out
    return nn.Sequential(*layers, *classifier(2048, 1000))


def mobilenet_v2():
    layers, inputs = [conv(3, 32, 3, 2, activation=nn.ReLU6)], 32
    for factor, filters, blocks, stride in ((1, 16, 1, 1), (6, 24, 2, 2), (6, 32, 3, 2), (6, 64, 4, 2), (6, 96, 3, 1),
                                            (6, 160, 3, 2), (6, 320, 1, 1)):
        for block in range(blocks):
            step, width = stride if not block else 1, factor * inputs
            body = [conv(inputs, width, 1, activation=nn.ReLU6)] if factor > 1 else []
            body += [conv(width, width, 3, step, groups=width, activation=nn.ReLU6),
                     conv(width, filters, 1, activation=None)]
            body = nn.Sequential(*body)
            layers.append(Residual(body, activation=nn.Identity()) if step == 1 and inputs == filters else body)
            inputs = filters
    return nn.Sequential(*layers, conv(320, 1280, 1, activation=nn.ReLU6), *classifier(1280, 1000))


def kws_dscnn():
    layers = [nn.ZeroPad2d((1, 2, 4, 5)), nn.Conv2d(1, 64, (10, 4), 2), nn.BatchNorm2d(64), nn.ReLU(), nn.Dropout(0.2)]
    for _ in range(4):
        layers += [conv(64, 64, 3, groups=64, bias=True), conv(64, 64, 1, bias=True)]
    return nn.Sequential(*layers, nn.Dropout(0.4), *classifier(64, 12))


class LstmSentiment(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.lstm = nn.Embedding(10000, 128), nn.LSTM(128, 128, batch_first=True)
        self.head = nn.Sequential(nn.Linear(128, 1), Head(torch.sigmoid))

    def forward(self, ids):
        return self.head(self.lstm(self.embedding(ids))[1][0][-1])


class Seq2SeqGru(nn.Module):
    def __init__(self):
        super().__init__()
        self.source, self.target = nn.Embedding(3000, 256), nn.Embedding(3000, 256)
        self.encoder, self.decoder = nn.GRU(256, 256, batch_first=True), nn.GRU(256, 256, batch_first=True)
        self.head = nn.Sequential(nn.Linear(256, 3000), softmax())

    def forward(self, source, target):
        _, state = self.encoder(self.source(source))
        return self.head(self.decoder(self.target(target), state)[0])


class Encoder(nn.Module):
    """Post-norm block: attention and a hidden layer with gelu."""

    def __init__(self, width, heads, hidden):
        super().__init__()
        self.heads, self.qkv, self.out = heads, nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.hidden = nn.Sequential(nn.Linear(width, hidden), nn.GELU(), nn.Linear(hidden, width))
        self.norms = nn.ModuleList(nn.LayerNorm(width, eps=1e-6) for _ in range(2))

    def forward(self, x):
        parts = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        attended = F.scaled_dot_product_attention(*parts).transpose(1, 2).flatten(2)
        x = self.norms[0](x + self.out(attended))
        return self.norms[1](x + self.hidden(x))


class Transformer(nn.Module):
    def __init__(self):
        super().__init__()
        self.tokens, self.positions = nn.Embedding(8000, 256), nn.Embedding(128, 256)
        self.blocks = nn.Sequential(*(Encoder(256, 4, 1024) for _ in range(4)))
        self.head = nn.Sequential(nn.Linear(256, 10), softmax())

    def forward(self, tokens, positions):
        return self.head(self.blocks(self.tokens(tokens) + self.positions(positions)).mean(1))


def adam(network):
    return torch.optim.Adam(network.parameters(), lr=0.0, fused=True)


def sgd(momentum):
    return lambda network: torch.optim.SGD(network.parameters(), lr=0.0, momentum=momentum, fused=True)


# Name: the network, its optimizer.
NETWORKS = {
    "mlp_seed": (mlp_seed, sgd(0)), "mlp_mnist": (mlp_mnist, adam), "lenet": (lenet, adam),
    "resnet20": (resnet20, sgd(0.9)), "mobilenet_v2": (mobilenet_v2, sgd(0.9)), "resnet50": (resnet50, sgd(0.9)),
    "kws_dscnn": (kws_dscnn, adam), "lstm_sentiment": (LstmSentiment, adam), "seq2seq_gru": (Seq2SeqGru, adam),
    "transformer": (Transformer, adam), "matmul_1024": (matmul_1024, sgd(0)),
}


def build(name):
    """(network, a function that lays out an input, loss, what makes the optimizer)."""
    if name not in NETWORKS:
        raise NotImplementedError(f"{name} is not written in torch")
    torch.manual_seed(0)
    make, optimizer = NETWORKS[name]
    network = make().to(memory_format=torch.channels_last)

    def to_layout(x):
        if x.ndim != 4:
            return x
        x = x.permute(0, 3, 1, 2)  # Keras's rows of channels are torch's channels_last
        return x.contiguous() if x.shape[1] == 1 else x

    if name == "lstm_sentiment":
        return network, to_layout, F.binary_cross_entropy_with_logits, optimizer
    return network, to_layout, lambda logits, y: F.cross_entropy(logits.flatten(0, -2), y.flatten()), optimizer


def target(name, y):
    """Keras's targets as the loss wants them: classes, or floats for two of them."""
    if name == "lstm_sentiment":
        return y
    return y.argmax(-1) if y.is_floating_point() else y.long()
