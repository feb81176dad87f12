"""Photos lose what the camera wrote into them (place, time, device) before anybody sees them; only the worker opens them."""

import hashlib
import io
import warnings

import sqlalchemy as sa
import structlog
from PIL import Image, ImageOps

from app.core.db import Database
from app.core.events import PhotoCleaned
from app.core.outbox import emit
from app.federation.models import StoredFile
from app.federation.rules import PHOTO_FORMATS

log = structlog.get_logger()
LONGEST_SIDE = 2400
MOST_PIXELS = {"JPEG": 120_000_000, "PNG": 40_000_000}
"""A JPEG is read at a fraction of its size; a PNG must be unpacked whole."""
AT_ONCE = 20
_UNCLEAN = (
    sa.select(StoredFile.firm_id, StoredFile.id)
    .where(sa.not_(StoredFile.is_clean))
    .order_by(StoredFile.id)
    .limit(AT_ONCE)
)


def clean_photos(database: Database) -> int:
    """Draw waiting photos anew without metadata, at most 2,400 px wide or high; returns how many waited.

    What is no picture is thrown away. The picture is opened without a transaction; a crash leaves the photo waiting,
    and the next round takes it again.
    """
    waiting = _waiting(database)
    for firm_id, file_id in waiting:
        with database.read() as session:
            file = session.get(StoredFile, (firm_id, file_id))
            found = None if file is None or file.is_clean else (file.body, file.media_type)
        if found is not None:
            _keep(database, firm_id, file_id, clean_photo(*found))
    return len(waiting)


def clean_photo(body: bytes, media_type: str) -> bytes | None:
    """The picture drawn anew in the same format, without metadata; None when it is no picture, or a bomb."""
    kind = PHOTO_FORMATS.get(media_type)
    if kind is None:
        return None
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own limit is checked before unpacking
            return _drawn_anew(body, kind)
    except Exception:
        # a decoder fails on planted bytes in more ways than it names; whatever cannot be drawn is no picture
        return None


def _waiting(database: Database) -> list[tuple[str, str]]:
    with database.read() as session:
        rows = session.execute(_UNCLEAN).all()
    return [(row.firm_id, row.id) for row in rows]


def _keep(database: Database, firm_id: str, file_id: str, body: bytes | None) -> None:
    mine = (StoredFile.firm_id == firm_id, StoredFile.id == file_id, sa.not_(StoredFile.is_clean))
    with database.write() as session:
        if body is None:
            log.warning("photo thrown away", file_id=file_id)
            session.execute(sa.delete(StoredFile).where(*mine))
        else:
            sha256 = hashlib.sha256(body).hexdigest()
            cleaned = {"body": body, "size": len(body), "sha256": sha256, "is_clean": True}
            session.execute(sa.update(StoredFile).where(*mine).values(cleaned))
        emit(session, PhotoCleaned(firm_id, file_id))


def _drawn_anew(body: bytes, kind: str) -> bytes | None:
    with Image.open(io.BytesIO(body), formats=[kind]) as opened:
        if opened.width * opened.height > MOST_PIXELS[kind]:
            return None
        opened.draft("RGB", (LONGEST_SIDE, LONGEST_SIDE))
        opened.thumbnail((LONGEST_SIDE, LONGEST_SIDE))
        upright = ImageOps.exif_transpose(opened)
        picture = _on_white(upright)
    clean = Image.new("RGB", picture.size)
    clean.paste(picture)
    out = io.BytesIO()
    clean.save(out, kind, quality=85, optimize=True)
    return out.getvalue()


def _on_white(picture: Image.Image) -> Image.Image:
    if picture.mode in ("RGBA", "LA", "PA") or "transparency" in picture.info:
        see_through = picture.convert("RGBA")
        white = Image.new("RGBA", see_through.size, "white")
        return Image.alpha_composite(white, see_through).convert("RGB")
    return picture.convert("RGB")
