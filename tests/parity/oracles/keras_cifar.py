"""The networks of Keras' cifar10_resnet example, versions 1 and 2, and MLPerf Tiny's ResNet-8, from Keras' layers. Layers are
made in the order of these programs, by which Keras counts and names them. Ends in logits. Needs Keras.
"""
from keras import Model, layers


def conv(x, filters, size=3, strides=1):
    return layers.Conv2D(filters, size, strides=strides, padding="same")(x)


def norm_relu(x):
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def head(inputs, x, classes):
    x = layers.Flatten()(layers.AveragePooling2D(8)(x))
    return Model(inputs, layers.Dense(classes)(x))


def version_1(blocks, classes=10):
    """6 * blocks + 2 layers. MLPerf Tiny's ResNet-8 is the one with a block a stage."""
    inputs = layers.Input((32, 32, 3))
    x = norm_relu(conv(inputs, 16))
    for stage, filters in enumerate((16, 32, 64)):
        for block in range(blocks):
            strides = 2 if stage and block == 0 else 1
            y = norm_relu(conv(x, filters, strides=strides))
            y = layers.BatchNormalization()(conv(y, filters))
            if strides == 2:
                x = conv(x, filters, 1, 2)
            x = layers.Activation("relu")(layers.add([x, y]))
    return head(inputs, x, classes)


def version_2(blocks, classes=10):
    """9 * blocks + 2 layers: bottlenecks with the stride in front, their first without norm and ReLU in front of it."""
    inputs = layers.Input((32, 32, 3))
    x = norm_relu(conv(inputs, 16))
    filters = 16
    for stage in range(3):
        channels = filters * (4 if stage == 0 else 2)
        for block in range(blocks):
            strides = 2 if stage and block == 0 else 1
            y = x if stage == block == 0 else norm_relu(x)
            y = conv(y, filters, 1, strides)
            y = conv(norm_relu(y), filters)
            y = conv(norm_relu(y), channels, 1)
            if block == 0:
                x = conv(x, channels, 1, strides)
            x = layers.add([x, y])
        filters = channels
    return head(inputs, norm_relu(x), classes)


def network(name):
    """The network that classify calls so: keras_cifar_resnet20, keras_cifar_resnet56v2, mlperf_tiny_resnet8."""
    if name == "mlperf_tiny_resnet8":
        return version_1(1)
    depth, _, version = name.removeprefix("keras_cifar_resnet").partition("v")
    return version_2((int(depth) - 2) // 9) if version else version_1((int(depth) - 2) // 6)
