#!/usr/bin/python3
"""The C++ client library against a real server: its test program is built beside the server."""
import os
import subprocess
import unittest

import resp


class ClientLibrary(resp.ServerCase):
    def test_versions(self):
        program = os.path.join(os.path.dirname(resp.SERVER_BINARY), "verso_client_library")
        done = subprocess.run([program], env={**os.environ, "VERSO_PORT": str(self.server.port)},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=300)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(self.client().command("DEBUG", "AUDIT"), b"OK")


if __name__ == "__main__":
    unittest.main()
