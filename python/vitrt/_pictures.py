# ===- _pictures.py - Pictures of all kinds for the extension --------------===#
#
# Part of the vit project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
# ===-----------------------------------------------------------------------===#
"""Turns what users hand over into what the extension reads: bytes for the path of a file, and
arrays uint8 [height, width, channels]."""

import os
import sys
from typing import Any, List, Sequence, Union

Picture = Union[str, "os.PathLike[str]", Any]
"""The path of a PNG, JPEG, BMP or PPM file; a PIL image; or an array uint8 [height, width],
[height, width, 1] or [height, width, 3] (RGB)."""


_KINDS = "the path of a file, a PIL image or an array uint8 [height, width, 3]"


def _is_pil(picture: Any) -> bool:
    # Whoever has a PIL image has imported PIL.
    image = sys.modules.get("PIL.Image")
    return image is not None and isinstance(picture, image.Image)


def _from_pil(picture: Any, applies_exif: bool) -> Any:
    import numpy

    if applies_exif:
        from PIL import ImageOps

        picture = ImageOps.exif_transpose(picture)
    return numpy.asarray(picture.convert("RGB" if picture.mode not in ("L", "1") else "L"))


def _from_array(picture: Any, name: str) -> Any:
    import numpy

    try:
        array = numpy.from_dlpack(picture) if not hasattr(picture, "__array__") else numpy.asarray(picture)
    except (BufferError, RuntimeError, TypeError, ValueError) as error:
        raise TypeError(
            f"{name} is a {type(picture).__name__}; give {_KINDS}"
        ) from error
    if array.dtype != numpy.uint8:
        raise TypeError(
            f"{name} is an array of {array.dtype}, and pictures are uint8, 0 to 255; tensors that are "
            "prepared already go to model(x)"
        )
    if array.ndim == 2:
        array = array[:, :, None]
    if array.ndim != 3 or array.shape[2] not in (1, 3):
        raise TypeError(f"{name} has shape {array.shape}; a picture is [height, width, 3] or [height, width]")
    return numpy.ascontiguousarray(array)


def prepare(picture: Picture, index: int, applies_exif: bool) -> Any:
    """`picture` as the extension reads it; messages call it by its `index`."""
    if isinstance(picture, (str, os.PathLike)):
        path = os.fsencode(picture)
        if not path or b"\0" in path:
            raise ValueError(f"picture {index} has a path that is empty or holds a zero byte")
        return path
    name = f"picture {index}"
    if _is_pil(picture):
        picture = _from_pil(picture, applies_exif)
    elif not hasattr(picture, "__dlpack__") and not hasattr(picture, "__array__"):
        raise TypeError(f"{name} is a {type(picture).__name__}; give {_KINDS}")
    return _from_array(picture, name)


def is_one(pictures: Union[Picture, Sequence[Picture]]) -> bool:
    """Whether this is a picture, and not a sequence of them. An array of four dimensions is a
    sequence."""
    if isinstance(pictures, (str, os.PathLike)) or _is_pil(pictures):
        return True
    shape = getattr(pictures, "shape", None)
    return shape is not None and len(shape) <= 3


def prepare_all(pictures: Union[Picture, Sequence[Picture]], applies_exif: bool) -> List[Any]:
    if is_one(pictures):
        pictures = [pictures]
    if not hasattr(pictures, "__iter__") and not hasattr(pictures, "__getitem__"):
        raise TypeError(f"pictures is a {type(pictures).__name__}; give {_KINDS}, or a sequence of them")
    return [prepare(picture, i, applies_exif) for i, picture in enumerate(pictures)]
