"""A small OpenID Connect provider for tests: it lets in whoever is named, and lies in its ID token as it is told to."""

import base64
import hashlib
import json
import secrets
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import jwt
from cryptography.hazmat.primitives.asymmetric import rsa

CLIENT, SECRET = "huying", "a-secret-of-the-provider"


class Provider:
    """Codes that were given out, and what the next ID token shall say."""

    def __init__(self):
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        self.codes: dict[str, dict] = {}
        self.lies: dict = {}
        self.signs_with = self.key
        self.server = ThreadingHTTPServer(("127.0.0.1", 0), self.pages())
        self.issuer = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()

    def environment(self, redirect: str) -> dict[str, str]:
        return {
            "OIDC_ISSUER": self.issuer, "OIDC_CLIENT_ID": CLIENT, "OIDC_CLIENT_SECRET": SECRET,
            "OIDC_REDIRECT": redirect,
        }  # fmt: skip

    def authorize(self, url: str, sub: str) -> dict[str, str]:
        """Do what a browser and somebody's password would: give the code and the state that come back."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert asked["code_challenge_method"] == "S256" and asked["response_type"] == "code"
        code = secrets.token_urlsafe(16)
        self.codes[code] = asked | {"sub": sub}
        return {"code": code, "state": asked["state"]}

    def token(self, form: dict) -> dict | None:
        """Trade a code for an ID token, once, for who knows the verifier."""
        asked = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        if asked is None or asked["code_challenge"] != challenge:
            return None
        now = int(time.time())
        claims = {
            "iss": self.issuer, "sub": asked["sub"], "aud": CLIENT, "nonce": asked["nonce"], "iat": now,
            "exp": now + 300,
        }  # fmt: skip
        said = {name: value for name, value in (claims | self.lies).items() if value is not None}
        signed = jwt.encode(said, self.signs_with, "RS256", headers={"kid": "one"})
        return {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "id_token": signed}

    def pages(provider) -> type:
        class Pages(BaseHTTPRequestHandler):
            def say(self, status: int, what: dict) -> None:
                body = json.dumps(what).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def do_GET(self):
                if self.path == "/keys":
                    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(provider.key.public_key()))
                    return self.say(200, {"keys": [key | {"kid": "one", "use": "sig", "alg": "RS256"}]})
                ways = {name: f"{provider.issuer}/{name}" for name in ("authorization_endpoint", "token_endpoint")}
                return self.say(200, {"issuer": provider.issuer, "jwks_uri": f"{provider.issuer}/keys", **ways})

            def do_POST(self):
                raw = self.rfile.read(int(self.headers["Content-Length"])).decode()
                known = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
                form = {name: values[0] for name, values in parse_qs(raw).items()}
                token = provider.token(form) if self.headers.get("Authorization") == f"Basic {known}" else None
                self.say(200 if token else 400, token or {"error": "invalid_grant"})

            def log_message(self, *words):
                """Say nothing."""

        return Pages
