"""Sends a reload request to Patroni's REST API on this machine, and prints the status of the answer.

    reload.py PORT [CERTIFICATE KEY]

The environment variable PASSWORD has the form `user:password`."""

import base64
import http.client
import os
import ssl
import sys

port, *pair = sys.argv[1:]
tls = ssl.create_default_context()
# Only the identity of the client matters here.
tls.check_hostname = False
tls.verify_mode = ssl.CERT_NONE
if pair:
    tls.load_cert_chain(*pair)
headers = {}
if "PASSWORD" in os.environ:
    headers["Authorization"] = "Basic " + base64.b64encode(os.environ["PASSWORD"].encode()).decode()
connection = http.client.HTTPSConnection("127.0.0.1", int(port), context=tls, timeout=10)
try:
    connection.request("POST", "/reload", "{}", headers)
    print(connection.getresponse().status)
except (OSError, http.client.HTTPException) as error:
    print(error)
