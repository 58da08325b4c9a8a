"""Tokens: both grants, lifetime and chain, revocation, and forged tokens."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from gateway_process import API, REVOKE_PATH, TOKEN_PATH, Answer, Gateway, User
from processes import wait_for

SCRIPTS = f"{API}/v1/scripts"
StartGateway = Callable[..., Gateway]
MakeUser = Callable[..., User]


def refresh(gateway: Gateway, token: str, spelling: str = "refresh_token") -> Answer:
    """Refresh as the documentation does it, or, spelt `token`, as dbt does."""
    gateway.secrets.add(token)
    body = {"grant_type": "refresh_token", spelling: token}
    bearer = token if spelling == "refresh_token" else ""
    return gateway.note(gateway.request("POST", TOKEN_PATH, body, token=bearer))


def test_password_grant(gateway, user):
    answer = gateway.log_in(user.name, user.password)
    token = answer.json()
    assert set(token) == {"accessToken", "expiresIn", "tokenType"}
    assert token["expiresIn"] == 3600
    assert token["tokenType"] == "Bearer"
    # Clients cut it out of one line, and keep it in a VARCHAR2(2000).
    assert re.search(r'"accessToken":"([^"]+)"', answer.text)[1] == token["accessToken"]
    assert len(token["accessToken"]) < 2000
    assert "\n" not in answer.text.rstrip("\n")
    assert "no-store" in answer.headers["Cache-Control"]
    assert user.get(SCRIPTS).status == 200


def test_every_token_is_another(gateway, user):
    answers = [gateway.log_in(user.name, user.password).json() for _ in range(5)]
    tokens = {answer["accessToken"] for answer in answers}
    assert len(tokens) == 5
    assert all(gateway.get(SCRIPTS, token=token).status == 200 for token in tokens)


@pytest.mark.parametrize("spelling", ["refresh_token", "token"])
def test_refresh(gateway, user, spelling):
    fresh = refresh(gateway, user.token, spelling).json()
    assert set(fresh) == {"accessToken", "expiresIn", "tokenType"}
    assert fresh["expiresIn"] == 3600
    assert fresh["accessToken"] != user.token
    assert gateway.get(SCRIPTS, token=fresh["accessToken"]).status == 200
    again = refresh(gateway, fresh["accessToken"], spelling)
    assert again.status == 200


def test_no_token(gateway):
    for version in ("v1", "v2"):
        gateway.get(f"{API}/{version}/scripts").refused(401)


@pytest.mark.parametrize("how", ["body", "bearer"])
def test_revoke(gateway, user, how):
    token = user.token
    body, bearer = ({"token": token}, "") if how == "body" else (None, token)
    assert gateway.request("POST", REVOKE_PATH, body, token=bearer).status == 200
    gateway.get(SCRIPTS, token=token).refused(401)
    refresh(gateway, token).refused(401)
    refresh(gateway, token, "token").refused(401)
    # A revocation does not reveal whether a token was valid (RFC 7009).
    assert gateway.request("POST", REVOKE_PATH, {"token": token + "x"}).status == 200
    # The user is still welcome.
    user.forget()
    assert user.get(SCRIPTS).status == 200


def test_a_revoked_token_ends_alone(gateway, user):
    other = gateway.log_in(user.name, user.password).json()["accessToken"]
    gateway.request("POST", REVOKE_PATH, {"token": user.token})
    assert gateway.get(SCRIPTS, token=other).status == 200


def test_life(start_gateway: StartGateway, make_user: MakeUser) -> None:
    short = start_gateway("--token-life", "1", "--token-chain", "3600")
    user = make_user(gateway=short)
    assert short.log_in(user.name, user.password).json()["expiresIn"] == 1
    token = user.token
    assert user.get(SCRIPTS).status == 200
    wait_for("the token's end", lambda: short.get(SCRIPTS, token=token).status == 401)
    short.get(SCRIPTS, token=token).refused(401, "expired")
    refresh(short, token).refused(401)
    refresh(short, token, "token").refused(401)


def test_chain(start_gateway: StartGateway, make_user: MakeUser) -> None:
    """However often it is refreshed, the last token ends with the chain."""
    chained = start_gateway("--token-life", "1", "--token-chain", "2", "--tokens-per-user", "99999")
    user = make_user(gateway=chained)
    answer = chained.log_in(user.name, user.password)
    refreshed = 0
    while True:
        token = answer.json()["accessToken"]
        assert answer.json()["expiresIn"] <= 1
        answer = refresh(chained, token)
        if answer.status != 200:
            break
        refreshed += 1
    answer.refused(401)
    assert refreshed > 1
    wait_for("the last token's end", lambda: chained.get(SCRIPTS, token=token).status == 401)


def test_a_chain_that_is_shorter_than_a_life_is_refused(start_gateway: StartGateway) -> None:
    with pytest.raises(AssertionError, match="token-chain"):
        start_gateway("--token-life", "10", "--token-chain", "5")


def test_a_restart_forgets_tokens(start_gateway: StartGateway, make_user: MakeUser) -> None:
    first = start_gateway()
    user = make_user(gateway=first)
    token = user.token
    first.stop()
    second = start_gateway()
    second.get(SCRIPTS, token=token).refused(401)


def test_forged_tokens(gateway, user):
    token = user.token
    changed = token[:-1] + ("A" if token[-1] != "A" else "B")
    head = ("A" if token[0] != "A" else "B") + token[1:]
    forged = ["x", changed, head, token + "A", token[:-1], token * 2, "A" * 3000, "..", user.name]
    forged += [token.swapcase(), "%00", "null"]
    for each in forged:
        gateway.get(SCRIPTS, headers={"Authorization": f"Bearer {each}"}).refused(401)
    for each in ("A" * 9000, "\u00ff" * 20):  # more than a header may be
        answer = gateway.get(SCRIPTS, headers={"Authorization": f"Bearer {each}"})
        assert answer.status in (400, 401, 431), answer
    for header in (token, f"Basic {token}", f"Token {token}", "Bearer", "Bearer ", ""):
        gateway.get(SCRIPTS, headers={"Authorization": header}).refused(401)
    gateway.get(f"{SCRIPTS}?access_token={token}").refused(401)
    # A scheme is case-insensitive (RFC 9110).
    for scheme in ("bearer", "BEARER"):
        assert gateway.get(SCRIPTS, headers={"Authorization": f"{scheme} {token}"}).status == 200


BAD_GRANTS = {
    "none": {},
    "no type": {"username": "u", "password": "p"},
    "another type": {"grant_type": "client_credentials", "username": "u", "password": "p"},
    "no password": {"grant_type": "password", "username": "u"},
    "no user": {"grant_type": "password", "password": "p"},
    "number": {"grant_type": "password", "username": 1, "password": "p"},
    "null": {"grant_type": "password", "username": "u", "password": None},
    "list": {"grant_type": "password", "username": ["u"], "password": "p"},
    "type of another type": {"grant_type": 5},
    "refresh without a token": {"grant_type": "refresh_token"},
    "refresh of a number": {"grant_type": "refresh_token", "token": 7},
    "no object": ["grant_type", "password"],
    "text": "password",
}


@pytest.mark.parametrize("body", BAD_GRANTS.values(), ids=BAD_GRANTS.keys())
def test_bad_grants(gateway, body):
    answer = gateway.request("POST", TOKEN_PATH, body)
    # A malformed token request is 400; a refresh without a token may also be 401.
    wanted = (400, 401) if "refresh" in str(body) else (400,)
    assert answer.status in wanted, answer
    answer.refused(answer.status)


def test_a_token_is_for_its_user(gateway, make_user, store):
    store("gw_who", "import oml\ndef f():\n    return list(oml.cursor().execute("
          "'SELECT current_user::text, session_user::text').fetchone())")  # fmt: skip
    ann, bob = make_user("ann"), make_user("bob")
    for user in (ann, bob, ann):
        assert user.run("do-eval", "gw_who").result == [user.name, user.name]
