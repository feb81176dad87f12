"""What we sign and get back is signed with the same strong hash in every room."""

import re
from pathlib import Path

from itsdangerous import URLSafeSerializer

from app.core.signing import HMAC_SHA256

APP = Path(__file__).parents[2] / "app"
MADE = re.compile(r"URLSafe(?:Timed)?Serializer\(([^\n]*)\)\n")


def test_a_signed_note_carries_a_whole_sha_256() -> None:
    signature = URLSafeSerializer("secret", signer_kwargs=HMAC_SHA256).dumps("x").rpartition(".")[2]
    assert len(signature) == 43


def test_no_room_signs_in_another_way() -> None:
    made = [found for path in APP.rglob("*.py") for found in MADE.findall(path.read_text())]
    assert len(made) >= 4
    assert [one for one in made if "signer_kwargs=HMAC_SHA256" not in one] == []
