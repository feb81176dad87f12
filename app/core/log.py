"""Logging: ids and numbers, never contents."""

import logging
import traceback

import structlog
from structlog.typing import ExcInfo


def prepare_log() -> None:
    """One JSON line an event, in UTC."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.ExceptionRenderer(place_of),
            structlog.processors.JSONRenderer(),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
    )


def place_of(exc_info: ExcInfo) -> str:
    """Kind and place of a fault and of those that led to it, without their words: those may quote what somebody typed."""
    places = []
    one: BaseException | None = exc_info[1]
    while one is not None:
        places.append("".join(traceback.format_tb(one.__traceback__)) + type(one).__name__)
        one = one.__cause__ or one.__context__
    return "\n\nafter\n\n".join(places)
