"""A message sealed for one browser (RFC 8291), by pywebpush's cryptography; its own way of posting is not used."""

from base64 import urlsafe_b64decode

from pywebpush import WebPusher, WebPushException

from app.push.rules import MOST_PAYLOAD_BYTES

AUTH_BYTES = 16


def encrypt_for(p256dh: str, auth: str, body: bytes) -> bytes:
    """Encrypt for the subscription's keys (base64url), with a new key and salt; raises ValueError for broken keys."""
    if len(body) > MOST_PAYLOAD_BYTES:
        raise ValueError("does not fit")
    try:
        # given its keys as bytes, it need not copy and read a whole subscription for each message
        pusher = WebPusher({"endpoint": ""})
        pusher.receiver_key, pusher.auth_key = _bytes(p256dh), _bytes(auth)
        if len(pusher.auth_key) != AUTH_BYTES:
            raise ValueError("broken keys")
        return bytes(pusher.encode(body)["body"])
    except WebPushException as error:
        raise ValueError("broken keys") from error


def _bytes(text: str) -> bytes:
    return urlsafe_b64decode(text + "==")
