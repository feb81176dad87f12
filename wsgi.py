"""The door for a WSGI server."""

import sys

from app.config import ConfigError, load_config
from app.factory import create_site

try:
    app = create_site(load_config(), is_server=True)
except ConfigError as error:
    sys.exit(str(error))
