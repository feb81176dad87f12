"""The door for a WSGI server, and for the commands of `flask`."""

import gc
import os
import sys
from typing import Any

from app.config import ConfigError, load_config


def _open() -> Any:
    if os.environ.get("FLASK_RUN_FROM_CLI"):
        # a restore begins in an empty folder: loading the node would already put new keys there
        from app.cli import create_commands

        return create_commands()
    from app.factory import create_site

    return create_site(load_config(), is_server=True)


# what is loaded here stays for good: to search it for rubbish again and again takes a fifth of the start
gc.disable()
try:
    app = _open()
except ConfigError as error:
    sys.exit(str(error))
gc.freeze()
gc.enable()
