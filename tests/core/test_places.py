"""Where postcodes lie."""

import pytest

from app.core.errors import RuleBroken
from app.core.places import centroid
from app.core.units import distance_km

# Town centres, degrees: the middle of the postcode lies at most 6 km away.
TOWNS = {
    "98693": (50.6832, 10.9186),
    "98527": (50.6091, 10.6940),
    "07743": (50.9288, 11.5899),
    "07318": (50.6483, 11.3654),
    "04600": (50.9876, 12.4368),
    "99734": (51.5018, 10.7957),
}


@pytest.mark.parametrize(("postcode", "town"), TOWNS.items())
def test_a_postcode_lies_within_6_km_of_its_town(postcode: str, town: tuple[float, float]) -> None:
    assert distance_km(centroid(postcode), town) <= 6.05


def test_jena_is_about_55_km_from_ilmenau_and_gera_just_too_far() -> None:
    assert round(distance_km(centroid("98693"), centroid("07743"))) == 55
    assert round(distance_km(centroid("98693"), centroid("07545"))) == 84


def test_spaces_around_a_postcode_do_no_harm() -> None:
    assert centroid(" 07743 ") == centroid("07743")


@pytest.mark.parametrize("postcode", ["00000", "7743", "0774a", "", "٠٧٧٤٣", "98693\n1"])
def test_an_unknown_postcode_is_asked_back_and_never_guessed(postcode: str) -> None:
    with pytest.raises(RuleBroken, match="Diese Postleitzahl kennen wir nicht") as caught:
        centroid(postcode)
    assert caught.value.field == "postcode"
