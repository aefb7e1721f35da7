"""An unmodified Canaille (Authlib) for the tests of crates/oauth: a second opinion on the audience of client assertions and
on the shape of errors. One argument: JSON with the client's public key. Keeps everything in memory, prints one line of JSON
when it listens, ends when its stdin does."""

import json
import os
import socket
import sys
import threading

from joserfc.jwk import RSAKey

from canaille import create_app
from canaille.app import models
from canaille.backends import Backend
from werkzeug.serving import make_server

REDIRECT = "https://app.example.com/oauth2/callback"


def settings(port):
    key = RSAKey.generate_key(2048, {"use": "sig", "alg": "RS256"}, auto_kid=True)
    return {
        "SECRET_KEY": "x" * 40,
        "SERVER_NAME": f"127.0.0.1:{port}",
        "PREFERRED_URL_SCHEME": "http",
        "TESTING": True,
        "WTF_CSRF_ENABLED": False,
        "CANAILLE": {"DATABASE": "memory", "LOGGING": None},
        "CANAILLE_OIDC": {
            "DYNAMIC_CLIENT_REGISTRATION_OPEN": True,
            "ACTIVE_JWKS": [key.as_dict(private=True)],
        },
    }


def add_user(name):
    user = models.User(
        user_name=name,
        formatted_name="Ada Reader",
        family_name="Reader",
        given_name="Ada",
        emails=[f"{name}@example.com"],
        password="correct horse battery staple",
    )
    Backend.instance.save(user)


def main():
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen(64)
    port = listener.getsockname()[1]
    app = create_app(settings(port))
    with app.app_context():
        add_user("alice")
        add_user("bob")
    server = make_server("127.0.0.1", port, app, threaded=False, fd=listener.fileno())
    print(json.dumps({"ready": True, "issuer": f"http://127.0.0.1:{port}"}), flush=True)

    def end_with_parent():
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=end_with_parent, daemon=True).start()
    server.serve_forever()


main()
