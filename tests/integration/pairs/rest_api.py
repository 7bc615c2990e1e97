"""Runs Patroni's own REST API, with the configuration in a directory, but without the rest of Patroni.

    rest_api.py DIRECTORY
"""

import sys
import threading

from patroni.api import RestApiServer
from patroni.config import Config


class Daemon:
    """The object that the API asks to reload."""

    version = "of the test"

    def sighup_handler(self):
        """Print that a reload was requested."""
        print("reloaded")


configuration = Config(sys.argv[1])
server = RestApiServer(Daemon(), configuration["restapi"])
server.start()
print("serves")
threading.Event().wait()
