"""A message sealed for one browser (RFC 8291), by pywebpush's cryptography; its own way of posting is not used."""

from pywebpush import WebPusher, WebPushException

from app.push.rules import MOST_PAYLOAD_BYTES

AUTH_BYTES = 16


def encrypt_for(p256dh: str, auth: str, body: bytes) -> bytes:
    """Encrypt for the subscription's keys (base64url), with a new key and salt; raises ValueError for broken keys."""
    if len(body) > MOST_PAYLOAD_BYTES:
        raise ValueError("does not fit")
    try:
        pusher = WebPusher({"endpoint": "", "keys": {"p256dh": p256dh, "auth": auth}})
        if len(pusher.auth_key or b"") != AUTH_BYTES:
            raise ValueError("broken keys")
        return bytes(pusher.encode(body)["body"])
    except (WebPushException, IndexError) as error:  # IndexError: how it takes an empty key
        raise ValueError("broken keys") from error
