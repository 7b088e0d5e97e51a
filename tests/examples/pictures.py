"""PNG files without an image library."""
import struct
import zlib


def write_png(path, image):
    """An image [channels, rows, columns] of bytes as PNG."""
    rows = b"".join(b"\0" + image[:, y].T.tobytes() for y in range(image.shape[1]))
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", image.shape[2], image.shape[1], 8, 2, 0, 0, 0)),
              (b"IDAT", zlib.compress(rows)), (b"IEND", b""))
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks))


def read_png(path):
    """The pixels [rows, columns, 3] of an RGB PNG of 8 bits whose rows are filtered by nothing, by their left or their upper
    neighbour or by Paeth's estimate; needs numpy."""
    import numpy

    content, position, data = path.read_bytes(), 8, b""
    while position < len(content):
        size, kind = struct.unpack(">I4s", content[position:position + 8])
        chunk = content[position + 8:position + 8 + size]
        if kind == b"IHDR":
            width = struct.unpack(">I", chunk[:4])[0]
        elif kind == b"IDAT":
            data += chunk
        position += 12 + size
    raw = numpy.frombuffer(zlib.decompress(data), "uint8").reshape(-1, 1 + 3 * width)
    above, result = numpy.zeros((width, 3), "int64"), []
    for row in raw:
        pixels, kind = row[1:].reshape(width, 3).astype("int64"), row[0]
        if kind == 1:
            pixels = numpy.cumsum(pixels, 0) % 256
        elif kind == 2:
            pixels = (pixels + above) % 256
        elif kind == 4:
            left = corner = numpy.zeros(3, "int64")
            for x in range(width):
                estimate = left + above[x] - corner
                near = [abs(estimate - value) for value in (left, above[x], corner)]
                best = numpy.where((near[0] <= near[1]) & (near[0] <= near[2]), left,
                                   numpy.where(near[1] <= near[2], above[x], corner))
                pixels[x] = (pixels[x] + best) % 256
                left, corner = pixels[x], above[x]
        elif kind != 0:
            raise ValueError(f"{path}: a row is filtered by method {kind}")
        above = pixels
        result.append(pixels.astype("uint8"))
    return numpy.stack(result)
