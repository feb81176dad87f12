"""Photos lose what the camera wrote into them (place, time, device) before they leave the house; only the worker opens them."""

import io
import warnings

from PIL import Image, ImageOps

MOST_PIXELS = 50_000_000
LONGEST_SIDE = 2400
FORMATS = {"image/jpeg": "JPEG", "image/png": "PNG"}


def is_photo(media_type: str) -> bool:
    return media_type in FORMATS


def clean_photo(body: bytes, media_type: str) -> bytes | None:
    """Return the picture drawn anew without metadata, at most 2,400 px wide or high; None when it is no picture."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", Image.DecompressionBombWarning)
            return _drawn_anew(body, FORMATS[media_type])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        return None


def _drawn_anew(body: bytes, kind: str) -> bytes | None:
    with Image.open(io.BytesIO(body), formats=[kind]) as opened:
        if opened.width * opened.height > MOST_PIXELS:
            return None
        picture = ImageOps.exif_transpose(opened).convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
    clean = Image.new("RGB", picture.size)
    clean.paste(picture)
    out = io.BytesIO()
    clean.save(out, kind, quality=85, optimize=True)
    return out.getvalue()
