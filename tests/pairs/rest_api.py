"""Patroni's own REST API, with the configuration of a directory and nothing behind it.

    rest_api.py DIRECTORY
"""

import sys
import threading

from patroni.api import RestApiServer
from patroni.config import Config


class Daemon:
    """What the API asks to reload."""

    version = "of the test"

    def sighup_handler(self):
        """Say so."""
        print("reloaded")


configuration = Config(sys.argv[1])
server = RestApiServer(Daemon(), configuration["restapi"])
server.start()
print("serves")
threading.Event().wait()
