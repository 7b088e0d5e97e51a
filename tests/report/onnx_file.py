"""Reads ONNX files with numpy alone: protobuf's wire format, the messages of onnx.proto that networks need, and an
interpreter of their operators. Independent of the code that writes them."""
import numpy

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5


def fields(data):
    """The (number, wire type, value) of each field of a message, in order."""
    at, end = 0, len(data)

    def varint():
        nonlocal at
        value = shift = 0
        while True:
            byte = data[at]
            at += 1
            value |= (byte & 0x7F) << shift
            shift += 7
            if not byte & 0x80:
                return value

    while at < end:
        key = varint()
        number, wire = key >> 3, key & 7
        if wire == VARINT:
            value = varint()
            yield number, wire, value - (1 << 64) if value >> 63 else value
        elif wire == LENGTH:
            length = varint()
            if at + length > end:
                raise ValueError(f"field {number} is {length} bytes long, {end - at} are left")
            yield number, wire, data[at:at + length]
            at += length
        elif wire == FIXED32:
            yield number, wire, numpy.frombuffer(data[at:at + 4], "<f4")[0]
            at += 4
        else:
            raise ValueError(f"field {number} has the wire type {wire}, which ONNX files don't use")


def gathered(data):
    """The fields of a message by number, each a list."""
    result = {}
    for number, _, value in fields(data):
        result.setdefault(number, []).append(value)
    return result


def text(value):
    return bytes(value).decode()


def tensor(data):
    """The name and array of a TensorProto."""
    found = gathered(data)
    element = {1: "<f4", 2: "<u1", 3: "<i1", 7: "<i8"}[found[2][0]]
    return text(found[8][0]), numpy.frombuffer(found[9][0], element).reshape(found.get(1, []))


def attribute(data):
    found = gathered(data)
    kind = found[20][0]
    value = {1: lambda: float(found[2][0]), 2: lambda: found[3][0], 7: lambda: list(found.get(8, []))}[kind]()
    return text(found[1][0]), value


def value_info(data):
    """The name and shape of a ValueInfoProto; an open dimension is its name."""
    found = gathered(data)
    kind = gathered(gathered(found[2][0])[1][0])
    assert kind[1] == [1], "elements are floats"
    shape = []
    for dimension in gathered(kind[2][0])[1]:
        parts = gathered(dimension)
        shape.append(parts[1][0] if 1 in parts else text(parts[2][0]))
    return text(found[1][0]), shape


class Node:
    def __init__(self, data):
        found = gathered(data)
        self.inputs = [text(name) for name in found.get(1, [])]
        self.outputs = [text(name) for name in found[2]]
        self.name = text(found[3][0])
        self.operator = text(found[4][0])
        self.attributes = dict(attribute(each) for each in found.get(5, []))


class OnnxFile:
    def __init__(self, path):
        with open(path, "rb") as file:
            model = gathered(memoryview(file.read()))
        self.ir_version = model[1][0]
        self.producer = text(model[2][0])
        operators = gathered(model[8][0])
        self.operator_set = (text(operators.get(1, [b""])[0]), operators[2][0])
        properties = [gathered(each) for each in model.get(14, [])]
        self.metadata = {text(each[1][0]): text(each[2][0]) for each in properties}
        graph = gathered(model[7][0])
        self.name = text(graph[2][0])
        self.nodes = [Node(each) for each in graph.get(1, [])]
        initializers = [tensor(each) for each in graph.get(5, [])]
        self.initializers = dict(initializers)
        if len(initializers) != len(self.initializers):
            raise ValueError("two initializers have the same name")
        self.inputs = [value_info(each) for each in graph[11]]
        self.outputs = [value_info(each) for each in graph[12]]
        self.values = dict(value_info(each) for each in graph.get(13, []))

    def run(self, x):
        """The result of the graph for the input x, in float64; checks that every name is written once, before it is
        read, and has the shape that the file gives it."""
        values = {name: array.astype(numpy.float64) if array.dtype == numpy.float32 else array
                  for name, array in self.initializers.items()}
        values[self.inputs[0][0]] = x.astype(numpy.float64)
        for node in self.nodes:
            result = OPERATORS[node.operator](*[values[name] for name in node.inputs], **node.attributes)
            (output,) = node.outputs
            if output in values:
                raise ValueError(f"{output} is written twice")
            if output in self.values and list(result.shape[1:]) != self.values[output][1:]:
                raise ValueError(f"{output} is {result.shape}, the file says {self.values[output]}")
            values[output] = result
        return values[self.outputs[0][0]]


def windows(x, kernel, strides, pads, value):
    """[batch, channels, rows, columns, kernel rows, kernel columns]"""
    top, left, bottom, right = pads
    x = numpy.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right)), constant_values=value)
    view = numpy.lib.stride_tricks.sliding_window_view(x, kernel, (2, 3))
    return view[:, :, ::strides[0], ::strides[1]]


def conv(x, weight, bias=None, *, kernel_shape, strides, pads, group):
    assert list(weight.shape[2:]) == kernel_shape
    cut = windows(x, kernel_shape, strides, pads, 0.0)
    inputs, outputs = x.shape[1] // group, weight.shape[0] // group
    parts = []
    for g in range(group):
        columns = cut[:, g * inputs:(g + 1) * inputs].transpose(0, 2, 3, 1, 4, 5)
        shape = columns.shape[:3]
        matrix = weight[g * outputs:(g + 1) * outputs].reshape(outputs, -1)
        parts.append((columns.reshape(-1, matrix.shape[1]) @ matrix.T).reshape(*shape, outputs).transpose(0, 3, 1, 2))
    y = numpy.concatenate(parts, 1)
    return y if bias is None else y + bias[:, None, None]


def batch_normalization(x, scale, beta, mean, variance, *, epsilon):
    shape = (-1,) + (1,) * (x.ndim - 2)
    factor = scale / numpy.sqrt(variance + epsilon)
    return (x - mean.reshape(shape)) * factor.reshape(shape) + beta.reshape(shape)


def average_pool(x, *, kernel_shape, strides, pads, count_include_pad):
    sums = windows(x, kernel_shape, strides, pads, 0.0).sum((4, 5))
    if count_include_pad:
        return sums / (kernel_shape[0] * kernel_shape[1])
    return sums / windows(numpy.ones_like(x), kernel_shape, strides, pads, 0.0).sum((4, 5))


def max_pool(x, *, kernel_shape, strides, pads=(0, 0, 0, 0)):
    return windows(x, kernel_shape, strides, pads, -numpy.inf).max((4, 5))


def softmax(x):
    e = numpy.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


def slices(x, starts, ends, axes, steps):
    cut = [slice(None)] * x.ndim
    for start, end, axis, step in zip(starts, ends, axes, steps):
        cut[axis] = slice(int(start), int(end), int(step))
    return x[tuple(cut)]


def pad(x, pads):
    return numpy.pad(x, list(zip(pads[:x.ndim], pads[x.ndim:])))


def gemm(x, weight, bias=0.0, *, transB):
    assert transB == 1
    return x @ weight.T + bias


def quantize(x, scale, zero):
    limits = numpy.iinfo(zero.dtype)
    return numpy.clip(numpy.rint(x / scale) + zero, limits.min, limits.max).astype(zero.dtype)


def dequantize(codes, scale, zero, *, axis=1):
    assert codes.dtype == zero.dtype and scale.shape == zero.shape
    shape = [-1 if i == axis else 1 for i in range(codes.ndim)] if scale.ndim else []
    return (codes.astype(numpy.float64) - zero.reshape(shape)) * scale.reshape(shape)


OPERATORS = {
    "Conv": conv,
    "BatchNormalization": batch_normalization,
    "MaxPool": max_pool,
    "AveragePool": average_pool,
    "GlobalAveragePool": lambda x: x.mean((2, 3), keepdims=True),
    "GlobalMaxPool": lambda x: x.max((2, 3), keepdims=True),
    "Flatten": lambda x, *, axis: x.reshape(*x.shape[:axis], -1),
    "Gemm": gemm,
    "Add": lambda x, y: x + y,
    "Mul": lambda x, y: x * y,
    "Relu": lambda x: numpy.maximum(x, 0),
    "Sigmoid": lambda x: 1 / (1 + numpy.exp(-x)),
    "Softmax": softmax,
    "Slice": slices,
    "Pad": pad,
    "Identity": lambda x: x,
    "QuantizeLinear": quantize,
    "DequantizeLinear": dequantize,
}
