#!/usr/bin/env python3
"""Makes the image files of tests/image/files and, with PIL, what they must decode to and be resized to.

    python3 tests/image/make_files.py

needs PIL and numpy (Debian: python3-pil, python3-numpy). All pictures are synthetic. Written are

    *.jpg, *.png, *.webp files to decode
    decoded.txt          for each: colour, orientation, height, width, channels, hash of the pixels PIL decodes
    resized.txt          filter, height, width and hash of what PIL makes of picture.png and grey.png
    resized_floats.txt   filter, height, width and samples of what PIL makes of (grey.png - 100) / 64 in mode F
    cropped.txt          torchvision's Resize and CenterCrop in plain PIL: file, resize, crop, hash
    *.ppm                some of these pixels in full, to see what differs where a hash does

A hash is FNV-1a, 64 bits, over all samples.
"""
import io
import pathlib
import struct
import sys
import zlib

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "scripts"))

import python_packages  # noqa: E402

python_packages.require("make_files.py", numpy="numpy", PIL="pillow")

import numpy as np  # noqa: E402
import PIL  # noqa: E402
from PIL import Image, ImageOps  # noqa: E402

FILES = pathlib.Path(__file__).parent / "files"


def fnv1a(data: bytes) -> str:
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return f"{value:016x}"


def picture(height: int, width: int, seed: int) -> np.ndarray:
    """A smooth gradient with circles, stripes and some noise: RGB, uint8."""
    random = np.random.RandomState(seed)
    y, x = np.mgrid[0:height, 0:width].astype(float)
    channels = []
    for channel in range(3):
        wave = 127 + 60 * np.sin(x / (3 + channel)) + 60 * np.cos(y / (5 - channel) + x / 17)
        disc = 255.0 * (np.hypot(y - height * (channel + 1) / 4, x - width / 2) < min(height, width) / 4)
        channels.append(0.7 * wave + 0.3 * disc + random.normal(0, 12, (height, width)))
    return np.clip(np.stack(channels, axis=-1), 0, 255).astype(np.uint8)


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width: int, height: int, bits: int, color_type: int, rows: list, chunks=()) -> bytes:
    """A PNG file written by hand, for kinds that PIL can't write."""
    header = struct.pack(">IIBBBBB", width, height, bits, color_type, 0, 0, 0)
    data = b"".join(b"\0" + row for row in rows)
    middle = b"".join(chunk(*c) for c in chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + middle + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


# Adam7: first row, first column, row step, column step.
ADAM7 = [(0, 0, 8, 8), (0, 4, 8, 8), (4, 0, 8, 4), (0, 2, 4, 4), (2, 0, 4, 2), (0, 1, 2, 2), (1, 0, 2, 1)]


def interlaced_png(pixels: np.ndarray) -> bytes:
    height, width, _ = pixels.shape
    header = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 1)
    data = b""
    for row, column, row_step, column_step in ADAM7:
        part = pixels[row::row_step, column::column_step]
        if part.size:
            data += b"".join(b"\0" + line.tobytes() for line in part)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(data, 9)) + chunk(b"IEND", b"")


def packed_rows(indices: np.ndarray, bits: int) -> list:
    rows = []
    for line in indices:
        text = "".join(f"{value:0{bits}b}" for value in line)
        text += "0" * (-len(text) % 8)
        rows.append(bytes(int(text[i : i + 8], 2) for i in range(0, len(text), 8)))
    return rows


def write(name: str, content) -> None:
    (FILES / name).write_bytes(content if isinstance(content, bytes) else content.encode())


def saved(image: Image.Image, kind: str, **options) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def jpeg_with_restarts(image: Image.Image, quality: int) -> bytes:
    """A JPEG file with a restart marker behind each row of MCUs, which PIL 9 can't write: the coded rows of strips that
    were saved on their own, under the header of the whole."""
    mcu = 16
    start_of_scan = b"\xff\xda\x00\x0c"
    whole = saved(image, "JPEG", quality=quality, subsampling=2)
    scan_start = whole.index(start_of_scan)
    interval = b"\xff\xdd" + struct.pack(">HH", 4, -(-image.width // mcu))
    data = whole[:scan_start] + interval + whole[scan_start : scan_start + 14]
    for i, top in enumerate(range(0, image.height, mcu)):
        strip = image.crop((0, top, image.width, min(top + mcu, image.height)))
        coded = saved(strip, "JPEG", quality=quality, subsampling=2)
        coded = coded[coded.index(start_of_scan) + 14 : -2]
        data += (bytes([0xFF, 0xD0 + (i - 1) % 8]) if i > 0 else b"") + coded
    return data + whole[-2:]


def exif(orientation: int, byte_order: str = "<") -> bytes:
    mark = b"II" if byte_order == "<" else b"MM"
    entry = struct.pack(byte_order + "HHIHH", 0x0112, 3, 1, orientation, 0)
    return b"Exif\0\0" + mark + struct.pack(byte_order + "HIH", 42, 8, 1) + entry + struct.pack(byte_order + "I", 0)


def make_sources() -> None:
    rgb = Image.fromarray(picture(61, 47, 1))
    write("picture.png", saved(rgb, "PNG"))
    write("grey.png", saved(rgb.convert("L"), "PNG"))
    for name, options in {
        "subsampled": {"quality": 85, "subsampling": 2},
        "half_subsampled": {"quality": 75, "subsampling": 1},
        "full_chroma": {"quality": 95, "subsampling": 0},
        "progressive": {"quality": 85, "progressive": True},
    }.items():
        write(name + ".jpg", saved(rgb, "JPEG", **options))
    write("restart.jpg", jpeg_with_restarts(rgb, 60))
    write("grey.jpg", saved(rgb.convert("L"), "JPEG", quality=85))
    write("cmyk.jpg", saved(rgb.convert("CMYK"), "JPEG", quality=90))
    for orientation in range(1, 9):
        write(f"orientation_{orientation}.jpg",
              saved(Image.fromarray(picture(13, 22, 3)), "JPEG", exif=exif(orientation, "<>"[orientation % 2])))

    small = picture(19, 21, 2)
    image = Image.fromarray(small)
    write("alpha.png", saved(Image.fromarray(np.dstack([small, small[:, :, 1:2] ^ 0x55])), "PNG"))
    write("grey_alpha.png", saved(Image.merge("LA", [image.convert("L"), image.convert("L").rotate(180)]), "PNG"))
    write("palette.png", saved(image.quantize(200), "PNG"))
    write("palette_transparent.png", saved(image.quantize(16), "PNG", transparency=3, bits=4))
    write("palette_4.png", saved(image.quantize(4), "PNG", bits=2))
    write("bilevel.png", saved(image.convert("1"), "PNG"))
    write("orientation_6.png", saved(image, "PNG", exif=exif(6)[6:]))
    write("interlaced.png", interlaced_png(small))
    grey = np.asarray(image.convert("L"))
    for bits in (2, 4):
        write(f"grey_{bits}.png", png(21, 19, bits, 0, packed_rows(grey >> (8 - bits), bits)))
    wide = small.astype(np.uint16) * 257 ^ 0x00F3
    write("rgb_16.png", png(21, 19, 16, 2, [line.astype(">u2").tobytes() for line in wide]))
    # A colour that counts as transparent must not matter.
    write("rgb_transparent.png",
          png(21, 19, 8, 2, [line.tobytes() for line in small], [(b"tRNS", struct.pack(">HHH", *small[0, 0]))]))
    # PIL clips this one (see include/tenon/image/codecs/decode.hpp), so numpy says what is right.
    write("grey_16.png", png(21, 19, 16, 0, [(line.astype(np.uint16) * 257 ^ 0x00F3).astype(">u2").tobytes() for line in grey]))

    # More pixels than are decoded at once, so that a file cut in the middle has rows.
    write("lossy.webp", saved(rgb, "WEBP", quality=80))
    write("lossless.webp", saved(rgb, "WEBP", lossless=True))
    for kind, options in {"lossy": {"quality": 70}, "lossless": {"lossless": True, "exact": True}}.items():
        write(f"alpha_{kind}.webp", saved(Image.fromarray(np.dstack([small, small[:, :, 1:2] ^ 0x55])), "WEBP", **options))
    # The orientation in EXIF data without and with a prefix, and in XMP data.
    write("orientation_6.webp", saved(image, "WEBP", lossless=True, exif=exif(6)[6:]))
    write("orientation_8.webp", saved(image, "WEBP", lossless=True, exif=exif(8, ">")))
    write("orientation_3.webp", saved(image, "WEBP", lossless=True, xmp=b'<x tiff:Orientation="3"/>'))
    write("bad_animation.webp", saved(image, "WEBP", save_all=True, append_images=[image.rotate(180)]))

    write("bad_palette_index.png",
          png(4, 1, 8, 3, [bytes([0, 1, 2, 1])], [(b"PLTE", bytes([255, 0, 0, 0, 255, 0]))]))
    write("billions_of_pixels.png", png(2**31 - 1, 2**31 - 1, 8, 2, [b"\0"]))
    write("picture.gif", saved(image.quantize(16), "GIF"))


def line_of(name: str, color: str, orientation: str, pixels: np.ndarray) -> str:
    channels = 1 if pixels.ndim == 2 else 3
    return f"{name} {color} {orientation} {pixels.shape[0]} {pixels.shape[1]} {channels} {fnv1a(pixels.tobytes())}\n"


def make_decoded() -> None:
    lines = ""
    for path in sorted(FILES.glob("*.jpg")) + sorted(FILES.glob("*.png")) + sorted(FILES.glob("*.webp")):
        if path.name.startswith(("bad_", "billions_")):
            continue
        image = Image.open(path)
        for color, mode in (("rgb", "RGB"), ("grey", "L")):
            if path.name == "grey_16.png":
                pixels = (np.asarray(image) >> 8).astype(np.uint8)
                pixels = np.stack([pixels] * 3, axis=-1) if color == "rgb" else pixels
            elif mode == "L" and image.mode in ("P", "CMYK"):
                # PIL would go from a palette to grey without rounding to RGB samples first, which is the same here.
                pixels = np.asarray(image.convert("RGB").convert("L"))
            else:
                pixels = np.asarray(image.convert("RGB").convert(mode) if image.mode != "L" else image.convert(mode))
            lines += line_of(path.name, color, "stored", pixels)
        if path.name.startswith("orientation"):
            lines += line_of(path.name, "rgb", "upright", np.asarray(ImageOps.exif_transpose(image).convert("RGB")))
    write("decoded.txt", lines)
    for name in ("subsampled", "progressive", "cmyk"):
        Image.open(FILES / f"{name}.jpg").convert("RGB").save(FILES / f"{name}.ppm")


def make_resized() -> None:
    filters = {"bilinear": Image.BILINEAR, "bicubic": Image.BICUBIC, "lanczos": Image.LANCZOS}
    sizes = [(61, 47), (30, 23), (61, 20), (20, 47), (7, 5), (1, 1), (64, 50), (100, 47), (61, 100), (183, 141), (90, 11), (13, 120)]
    lines = ""
    for name in ("picture.png", "grey.png"):
        image = Image.open(FILES / name)
        for label, value in filters.items():
            for height, width in sizes:
                pixels = image.resize((width, height), value)
                lines += f"{name} {label} {height} {width} {fnv1a(pixels.tobytes())}\n"
    write("resized.txt", lines)
    grey = (np.asarray(Image.open(FILES / "grey.png")).astype(np.float32) - 100) / 64
    lines = ""
    for label, value in filters.items():
        for height, width in ((12, 9), (66, 4), (61, 2), (3, 47)):
            samples = np.asarray(Image.fromarray(grey).resize((width, height), value))
            lines += f"{label} {height} {width} " + " ".join(f"{sample:.9g}" for sample in samples.flatten()) + "\n"
    write("resized_floats.txt", lines)
    image = Image.open(FILES / "picture.png")
    image.resize((23, 30), Image.BILINEAR).save(FILES / "resized_bilinear_30_23.ppm")
    image.resize((20, 61), Image.BICUBIC).save(FILES / "resized_bicubic_61_20.ppm")
    image.resize((50, 64), Image.LANCZOS).save(FILES / "resized_lanczos_64_50.ppm")


def make_cropped() -> None:
    """torchvision.transforms.functional's resize and center_crop, and their twins with the other roundings."""
    lines = ""
    image = Image.open(FILES / "picture.png")
    for resize, crop in ((40, 33), (40, 32), (41, 41), (33, 24), (24, 40), (20, 23)):
        for longer_name, longer in (("down", int), ("nearest", round)):
            for offset_name, offset in (("down", int), ("nearest", round)):
                height = longer(resize * 61 / 47)
                small = image.resize((resize, height), Image.BILINEAR)
                left, top = max(0, crop - resize) // 2, max(0, crop - height) // 2
                padded = Image.new("RGB", (max(crop, resize), max(crop, height)))
                padded.paste(small, (left, top))
                x, y = offset((padded.width - crop) / 2), offset((padded.height - crop) / 2)
                pixels = padded.crop((x, y, x + crop, y + crop))
                lines += f"{resize} {crop} {longer_name} {offset_name} {fnv1a(pixels.tobytes())}\n"
    write("cropped.txt", lines)


if __name__ == "__main__":
    print("PIL", PIL.__version__)
    FILES.mkdir(exist_ok=True)
    make_sources()
    make_decoded()
    make_resized()
    make_cropped()
