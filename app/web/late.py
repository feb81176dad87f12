"""What every start and every second world would do again: written when first needed, and once per process."""

from collections.abc import Callable
from functools import cache, partial
from types import CodeType

from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.routing import Rule


class LateRule(Rule):
    """A route whose addresses are put together by code that werkzeug writes when the first is asked for, not at the start."""

    def _compile_builder(self, append_unknown: bool = True) -> Callable[..., tuple[str, str]]:
        written = cache(partial(super()._compile_builder, append_unknown))
        return lambda rule, **values: written()(rule, **values)


class CompiledTemplates(BytecodeCache):
    """The real world and the practice world show the same pages: each template is compiled once per process."""

    def __init__(self) -> None:
        self._compiled: dict[tuple[str, str], CodeType | None] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        """Called by jinja before it compiles."""
        bucket.code = self._compiled.get((bucket.key, bucket.checksum))

    def dump_bytecode(self, bucket: Bucket) -> None:
        """Called by jinja after it has compiled."""
        self._compiled[bucket.key, bucket.checksum] = bucket.code
