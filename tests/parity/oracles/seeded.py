"""Seeded tensors: the rule by which a C++ test and this module draw the same weights and inputs (numpy only).

Element i of the tensor called NAME under a seed, counted in row-major order of PyTorch's shape (OIHW, NCHW):

    s = fnv1a64(NAME) ^ (seed * 0x9E3779B97F4A7C15)      mod 2^64
    z = mix(s + (i + 1) * 0x9E3779B97F4A7C15)            splitmix64's finaliser
    value = float32(low + (high - low) * (z >> 40) * 2^-24), computed in float64

The C++ twin is include/tenon/core/random.hpp: uniform(random_bits(seed, hash_name(NAME), i), low, high).
"""
import math

import numpy

GOLDEN_STEP = 0x9E3779B97F4A7C15
_MASK = 0xFFFFFFFFFFFFFFFF


def mix(bits):
    """splitmix64's finaliser, on an array of uint64."""
    bits = (bits ^ (bits >> numpy.uint64(30))) * numpy.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> numpy.uint64(27))) * numpy.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> numpy.uint64(31))


def hash_name(name):
    """The 64-bit FNV-1a hash of a name's UTF-8 bytes."""
    value = 0xCBF29CE484222325
    for byte in name.encode():
        value = ((value ^ byte) * 0x100000001B3) & _MASK
    return value


def random_bits(seed, stream, count, begin=0):
    """Elements begin..begin+count of the sequence of a seed and a stream, as uint64."""
    start = stream ^ ((seed * GOLDEN_STEP) & _MASK)
    counters = numpy.arange(begin + 1, begin + count + 1, dtype=numpy.uint64)
    return mix(numpy.uint64(start) + counters * numpy.uint64(GOLDEN_STEP))


def uniform(bits, low, high):
    """Numbers in [low, high) from the 24 highest bits of each element, as float64."""
    return low + ((high - low) * (bits >> numpy.uint64(40)).astype(numpy.float64)) * 2.0**-24


def tensor(seed, name, shape, low, high):
    """A seeded tensor as float32: the rounded value is what both sides compute with, also in double."""
    bits = random_bits(seed, hash_name(name), math.prod(shape))
    return uniform(bits, low, high).astype(numpy.float32).reshape(shape)


def network_input(seed, shape, name="input"):
    """A network's input of [batch, channels, height, width], in [-1, 1)."""
    return tensor(seed, name, shape, -1.0, 1.0)


def state_tensor(seed, name, shape, role):
    """A parameter or running statistic, in the range of its role.

    weight (of a convolution or a linear layer) +-sqrt(3 / fan_in), which keeps a signal's variance; bias +-0.1;
    gamma [0.5, 1.5); beta [-0.5, 0.5); running_mean [-0.5, 0.5); running_var [0.5, 1.5).
    """
    if role == "weight":
        bound = math.sqrt(3 / math.prod(shape[1:]))
        return tensor(seed, name, shape, -bound, bound)
    low, high = {"bias": (-0.1, 0.1), "gamma": (0.5, 1.5), "beta": (-0.5, 0.5), "running_mean": (-0.5, 0.5),
                 "running_var": (0.5, 1.5)}[role]
    return tensor(seed, name, shape, low, high)


def fill(model, seed):
    """Gives every parameter and running statistic of a torch module its seeded value, under its state_dict name."""
    import torch

    with torch.no_grad():
        for module_name, module in model.named_modules():
            batch_norm = isinstance(module, torch.nn.BatchNorm2d)
            tensors = dict(module.named_parameters(recurse=False)) | dict(module.named_buffers(recurse=False))
            for key, value in tensors.items():
                if key == "num_batches_tracked":
                    continue
                role = {"weight": "gamma", "bias": "beta"}.get(key, key) if batch_norm else key
                name = f"{module_name}.{key}" if module_name else key
                value.copy_(torch.from_numpy(state_tensor(seed, name, tuple(value.shape), role)))
    return model
