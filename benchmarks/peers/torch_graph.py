"""The graph of an ONNX file as a PyTorch module, so that PyTorch runs what the other runtimes run."""

import onnx
import torch
from onnx import numpy_helper


def pads(attributes, dimensions=2):
    begin_end = attributes.get("pads", [0] * 2 * dimensions)
    if begin_end[:dimensions] != begin_end[dimensions:]:
        raise ValueError(f"pads {begin_end} are not symmetric")
    return begin_end[:dimensions]


class Graph(torch.nn.Module):
    """Convolutions and batch norms become torch's own modules, which its optimisations know."""

    def __init__(self, path):
        super().__init__()
        graph = onnx.load(path).graph
        constants = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in graph.initializer}
        self.input, self.output = graph.input[0].name, graph.output[0].name
        self.nodes = []
        for index, node in enumerate(graph.node):
            attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
            operands = [constants.get(name) for name in node.input]
            module = self.make_module(node.op_type, attributes, operands)
            self.add_module(str(index), module)
            inputs = [name for name in node.input if name not in constants]
            last_use = [name for name in inputs if not any(name in later.input for later in graph.node[index + 1 :])]
            self.nodes.append((str(index), inputs, node.output[0], last_use))

    @staticmethod
    def make_module(kind, attributes, operands):
        if kind == "Conv":
            weight = operands[1]
            conv = torch.nn.Conv2d(
                weight.shape[1] * attributes.get("group", 1),
                weight.shape[0],
                tuple(weight.shape[2:]),
                tuple(attributes.get("strides", [1, 1])),
                tuple(pads(attributes)),
                groups=attributes.get("group", 1),
                bias=len(operands) > 2,
            )
            conv.weight.data = weight
            if len(operands) > 2:
                conv.bias.data = operands[2]
            return conv
        if kind == "BatchNormalization":
            norm = torch.nn.BatchNorm2d(operands[1].numel(), eps=attributes["epsilon"])
            norm.weight.data, norm.bias.data, norm.running_mean, norm.running_var = operands[1:]
            return norm
        if kind == "Gemm":
            linear = torch.nn.Linear(operands[1].shape[1], operands[1].shape[0], bias=len(operands) > 2)
            if attributes.get("transB", 0) != 1:
                raise ValueError("a Gemm whose weight is not transposed")
            linear.weight.data = operands[1]
            if len(operands) > 2:
                linear.bias.data = operands[2]
            return linear
        if kind == "Relu":
            return torch.nn.ReLU()
        if kind == "MaxPool":
            return torch.nn.MaxPool2d(
                tuple(attributes["kernel_shape"]), tuple(attributes.get("strides", [1, 1])), tuple(pads(attributes))
            )
        if kind == "GlobalAveragePool":
            return torch.nn.AdaptiveAvgPool2d(1)
        if kind == "Flatten":
            return torch.nn.Flatten()
        if kind == "Add":
            return Add()
        if kind == "Slice":
            return Strided(operands[4].tolist())
        if kind == "Pad":
            return PadChannels(operands[1].tolist())
        raise ValueError(f"no torch module for the ONNX operator {kind}")

    def forward(self, images):
        values = {self.input: images}
        for module, inputs, output, last_use in self.nodes:
            values[output] = getattr(self, module)(*(values[name] for name in inputs))
            for name in last_use:
                del values[name]
        return values[self.output]


class Strided(torch.nn.Module):
    """Every n-th row and column, as a shortcut without parameters takes them."""

    def __init__(self, steps):
        super().__init__()
        self.steps = steps

    def forward(self, x):
        return x[:, :, :: self.steps[0], :: self.steps[1]]


class PadChannels(torch.nn.Module):
    """Channels of zeros before and behind."""

    def __init__(self, pads):
        super().__init__()
        if any(pads[axis] for axis in (0, 2, 3, 4, 6, 7)):
            raise ValueError(f"pads {pads} are not of channels alone")
        self.pads = (0, 0, 0, 0, pads[1], pads[5])

    def forward(self, x):
        return torch.nn.functional.pad(x, self.pads)


class Add(torch.nn.Module):
    def forward(self, left, right):
        return left + right



