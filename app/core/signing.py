"""How notes are signed that leave the house and come back: HMAC with SHA-256, where itsdangerous alone would take SHA-1."""

import hashlib
from typing import Any

HMAC_SHA256: dict[str, Any] = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
