"""The second door: signing in at an OpenID Connect provider, by code, PKCE (RFC 7636) and nonce."""

import secrets
import time

import requests
from authlib.common.errors import AuthlibBaseError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet

from services.identity import keys
from shared.errors import NotFound, Unauthenticated, Unavailable

PATIENCE = 2.0  # seconds for each word with the provider: whoever waits for us has five
LEEWAY = 60  # its clock may be a little off
# Signed by a key of the provider's own, never by a secret that we share (RFC 8725, 3.1).
ALGORITHMS = ["RS256", "RS384", "RS512", "PS256", "ES256", "ES384", "EdDSA", "Ed25519"]
AWAY = Unavailable("统一认证暂时没有回应,请用登录名和密码 / The OIDC provider is away: please use your password")
REFUSED = "统一认证没有通过,请重新登录 / The OIDC provider's answer does not hold: please sign in again"


def configured() -> keys.Oidc:
    """Give the provider; where none is configured there is no such door."""
    provider = keys.oidc()
    if not provider.issuer:
        raise NotFound("本平台没有启用统一认证 / No OIDC provider is configured here")
    return provider


def client(provider: keys.Oidc) -> OAuth2Session:
    return OAuth2Session(
        provider.client_id, provider.client_secret, scope="openid", redirect_uri=provider.redirect,
        code_challenge_method="S256", default_timeout=PATIENCE,
    )  # fmt: skip


def told(url: str) -> dict:
    """Read one of the provider's documents."""
    try:
        answer = requests.get(url, timeout=PATIENCE)
        answer.raise_for_status()
        return answer.json()
    except (requests.RequestException, ValueError):
        raise AWAY from None


def metadata(provider: keys.Oidc) -> dict:
    """Read what the provider says of itself (OpenID Connect Discovery 1.0); it must be the one that is meant."""
    found = told(f"{provider.issuer.rstrip('/')}/.well-known/openid-configuration")
    if found.get("issuer") != provider.issuer:
        raise AWAY
    return found


def begin() -> tuple[str, str, str, str]:
    """Give where the browser goes, and the state, nonce and verifier that only this journey knows."""
    provider = configured()
    state, nonce, verifier = (secrets.token_urlsafe(32) for _ in range(3))
    where = metadata(provider)["authorization_endpoint"]
    url, _ = client(provider).create_authorization_url(where, state=state, nonce=nonce, code_verifier=verifier)
    return url, state, nonce, verifier


def finish(code: str, nonce: str, verifier: str) -> tuple[str, bool]:
    """Trade the code for an ID token, check all of it, and give the provider's name for who came back.

    With it comes whether the provider has asked for a second factor, where its word is taken for that.
    """
    provider = configured()
    found = metadata(provider)
    try:
        token = client(provider).fetch_token(found["token_endpoint"], code=code, code_verifier=verifier)
        signed = jwt.decode(token["id_token"], KeySet.import_key_set(told(found["jwks_uri"])), ALGORITHMS)
        wanted = {"iss": {"essential": True, "value": provider.issuer}}
        wanted |= {"aud": {"essential": True, "value": provider.client_id}, "nonce": {"essential": True}}
        params = {"nonce": nonce, "client_id": provider.client_id, "access_token": token.get("access_token")}
        claims = CodeIDToken(signed.claims, signed.header, wanted, params)
        claims.validate(now=int(time.time()), leeway=LEEWAY)
        said = claims.get("amr")
        return str(claims["sub"]), not provider.second_factors.isdisjoint(said if isinstance(said, list) else ())
    except requests.RequestException:
        raise AWAY from None
    except (AuthlibBaseError, JoseError, KeyError, TypeError, ValueError):
        raise Unauthenticated(REFUSED) from None
