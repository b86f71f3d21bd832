#!/usr/bin/env python3
"""Makes the pictures that tests/data/pixel_ops_test.cpp compares with, by Pillow itself.

Needs Pillow and numpy; the stored file was made with Pillow 13.0. Usage: make.py [FILE [MORE]]
FILE: what is written, pixel_ops.safetensors beside this script by default
MORE: that many extra cases of each operation with random arguments and pictures

Tensors: "image/<name>" u8 [height,width,3]; "<op>/<image>/<argument>" u8, what the operation makes
of that picture; "resize/<image>/<x> <y> <width> <height>" a box of it resized to 16x16;
"plane/<x> <y> <width> <height>" f32 [20,24], a box of "image/plane" f32 resized without
antialiasing.
"""
import json
import random
import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

GREY = (128, 128, 128)


def affine(image, *matrix):
    return image.transform(image.size, Image.AFFINE, matrix, Image.BICUBIC, fillcolor=GREY)


def solarize_add(image, add):
    table = [min(255, v + int(add)) if v < 128 else v for v in range(256)]
    return image.point(table * 3)


def enhance(kind):
    return lambda image, factor: kind(image).enhance(factor)


# name: (operation, stored arguments, limits of random ones)
OPS = {
    "auto_contrast": (lambda i, _: ImageOps.autocontrast(i), [0], (0, 0)),
    "equalize": (lambda i, _: ImageOps.equalize(i), [0], (0, 0)),
    "invert": (lambda i, _: ImageOps.invert(i), [0], (0, 0)),
    "rotate": (lambda i, a: i.rotate(a, Image.BICUBIC, fillcolor=GREY), [21, -17.3], (-30, 30)),
    "posterize": (lambda i, a: ImageOps.posterize(i, int(a)), [2, 4], (1, 5)),
    "solarize": (lambda i, a: ImageOps.solarize(i, int(a)), [77, 256], (0, 257)),
    "solarize_add": (solarize_add, [77, 0], (0, 110)),
    "color": (enhance(ImageEnhance.Color), [1.63, 0.37], (0.1, 1.9)),
    "contrast": (enhance(ImageEnhance.Contrast), [1.63, 0.37], (0.1, 1.9)),
    "brightness": (enhance(ImageEnhance.Brightness), [1.63, 0.37], (0.1, 1.9)),
    "sharpness": (enhance(ImageEnhance.Sharpness), [1.63, 0.37], (0.1, 1.9)),
    "shear_x": (lambda i, a: affine(i, 1, a, 0, 0, 1, 0), [0.21, -0.19], (-0.3, 0.3)),
    "shear_y": (lambda i, a: affine(i, 1, 0, 0, a, 1, 0), [0.21, -0.19], (-0.3, 0.3)),
    "translate_x": (lambda i, a: affine(i, 1, 0, a * i.width, 0, 1, 0), [0.315, -0.3], (-0.45, 0.45)),
    "translate_y": (lambda i, a: affine(i, 1, 0, 0, 0, 1, a * i.height), [0.315, -0.3], (-0.45, 0.45)),
}


def picture(width, height, noise):
    """Waves of other lengths in each colour, with noise, not using the whole range."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (3 + c) + c) * np.cos(y / (5 - c)) for c in range(3)]
    values = 120 + 80 * np.stack(waves, axis=2) + noise * np.random.standard_normal((height, width, 3))
    return Image.fromarray(np.clip(values, 9, 240).astype(np.uint8))


def main():
    np.random.seed(1)
    random.seed(1)
    file = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent / "pixel_ops.safetensors"
    more = int(sys.argv[2]) if len(sys.argv) > 2 else 0
    images = {"photo": picture(32, 26, 12), "flat": Image.new("RGB", (9, 7), (40, 90, 200))}
    images["two"] = images["flat"].copy()
    images["two"].paste((41, 200, 90), (2, 1, 6, 5))
    tensors = {}
    for name, (op, arguments, limits) in OPS.items():
        for argument in arguments:
            tensors[f"{name}/photo/{argument}"] = op(images["photo"], argument)
        for image in ("flat", "two"):
            tensors[f"{name}/{image}/{arguments[0]}"] = op(images[image], arguments[0])
        for i in range(more):
            key = f"random{i}"
            if key not in images:
                size = random.randint(16, 90), random.randint(16, 90)
                images[key] = picture(*size, random.choice([0, 3, 60]))
            argument = random.uniform(*limits)
            tensors[f"{name}/{key}/{argument}"] = op(images[key], argument)
    boxes = [("photo", 0, 0, 32, 26), ("photo", 3, 1, 21, 25), ("photo", 5, 6, 11, 9)]
    for i in range(more):
        width, height = images[f"random{i}"].size
        x, y = random.randrange(width - 1), random.randrange(height - 1)
        width, height = random.randint(1, width - x), random.randint(1, height - y)
        # Newer versions take the vertical pass first for these, which rounds in another place.
        if height - 16 > max(0, 2 * (width - 16)):
            continue
        boxes.append((f"random{i}", x, y, width, height))
    for image, x, y, width, height in boxes:
        part = images[image].crop((x, y, x + width, y + height))
        tensors[f"resize/{image}/{x} {y} {width} {height}"] = part.resize((16, 16), Image.BILINEAR)
    tensors |= {f"image/{name}": image for name, image in images.items()}
    arrays = {name: np.asarray(image) for name, image in tensors.items()}

    plane = np.random.standard_normal((20, 24)).astype(np.float32)
    arrays["image/plane"] = plane
    for x, y, width, height in [(0, 0, 24, 20), (3, 2, 11, 7), (20, 0, 4, 20), (5, 19, 9, 1)]:
        part = Image.fromarray(plane).crop((x, y, x + width, y + height))
        arrays[f"plane/{x} {y} {width} {height}"] = np.asarray(
            part.transform((24, 20), Image.EXTENT, (0, 0, width, height), Image.BILINEAR))
    write_safetensors(file, arrays)


def write_safetensors(file, arrays):
    header, data = {}, b""
    for name, array in sorted(arrays.items(), key=lambda item: item[1].dtype != np.float32):
        dtype = {"float32": "F32", "uint8": "U8"}[str(array.dtype)]
        header[name] = {"dtype": dtype, "shape": array.shape,
                        "data_offsets": [len(data), len(data) + array.nbytes]}
        data += array.tobytes()
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    file.write_bytes(len(text).to_bytes(8, "little") + text + data)


main()
