"""The life of an account by the API, as an app's own client lives it.

Arguments: where the gate is, the authority of its certificate, the folder of mails.
"""

import base64
import email
import email.policy
import hashlib
import hmac
import re
import ssl
import struct
import sys
import time
from pathlib import Path
from typing import Any

import httpx

URL, AUTHORITY, MAILS = sys.argv[1:]
ADDRESS = "ada@example.com"
OLD, NEW = "correct horse battery staple", "another long pass phrase"
MFA = "urn:mantlet:params:oauth:grant-type:mfa-otp"


def client() -> httpx.Client:
    return httpx.Client(base_url=URL, verify=ssl.create_default_context(cafile=AUTHORITY))


def judged(answer: httpx.Response, status: int, **said: Any) -> Any:
    assert answer.status_code == status, f"{answer.request.url}: {answer.status_code} {answer.text}"
    body = answer.json() if answer.content else {}
    for name, value in said.items():
        assert body[name] == value, f"{answer.request.url}: {name} in {body}"
    return body


read: set[Path] = set()


def mail(words: str) -> str:
    """The text of a mail that has these words and was not read before; waits for it."""
    for _ in range(3000):
        for file in set(Path(MAILS).glob("*.eml")) - read:
            message = email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            part = message.get_body(("plain",))
            text = part.get_content() if part else ""
            if words in text:
                read.add(file)
                return text
        time.sleep(0.01)
    raise AssertionError(f"no mail with {words}")


def link(page: str) -> str:
    found = re.search(rf"/auth/{page}\?token=(\S+)", mail(f"/auth/{page}?token="))
    assert found
    return found[1]


def code(secret: str, steps: int = 0) -> str:
    """RFC 6238, of the present step or of one after it."""
    key = base64.b32decode(secret + "=" * (-len(secret) % 8))
    digest = hmac.digest(key, struct.pack(">Q", int(time.time()) // 30 + steps), hashlib.sha1)
    start = digest[-1] & 15
    number = int.from_bytes(digest[start : start + 4], "big") & 0x7FFFFFFF
    return f"{number % 1_000_000:06}"


def bearer(tokens: Any) -> dict[str, str]:
    return {"Authorization": f"Bearer {tokens['access_token']}"}


app = client()


def form(**fields: str) -> httpx.Response:
    return app.post("/auth/token", data=fields)


def log_in(password: str, otp: str) -> Any:
    """Tokens for a password and a second factor."""
    asked = judged(form(username=ADDRESS, password=password), 400, error="mfa_required")
    return judged(form(grant_type=MFA, mfa_token=asked["mfa_token"], otp=otp), 200, token_type="bearer")


def registers_and_verifies() -> None:
    judged(app.get("/orders"), 401, detail="Not authenticated")
    asked = {"email": ADDRESS, "password": OLD}
    wrong = judged(app.post("/auth/api/register", json={"email": "ada", "password": OLD}), 422)
    assert wrong["detail"][0]["loc"] == ["body", "email"], wrong
    first = judged(app.post("/auth/api/register", json=asked), 202)
    token = link("verify")
    judged(app.post("/auth/api/verify", json={"token": token + "x"}), 400)
    judged(app.post("/auth/api/verify", json={"token": token}), 200)
    assert judged(app.post("/auth/api/register", json=asked), 202) == first
    mail("it already has one")
    judged(form(username=ADDRESS, password="wrong horse battery staple"), 400, error="invalid_grant")
    judged(form(grant_type="client_credentials"), 400, error="unsupported_grant_type")


def refreshes() -> None:
    first = judged(form(grant_type="password", username=ADDRESS, password=OLD), 200, token_type="bearer")
    judged(app.get("/orders", headers=bearer(first)), 200)

    def refresh(tokens: Any) -> httpx.Response:
        return form(grant_type="refresh_token", refresh_token=tokens["refresh_token"])

    second = judged(refresh(first), 200)
    assert second["refresh_token"] != first["refresh_token"]
    again = judged(refresh(first), 200)
    assert again["refresh_token"] == second["refresh_token"], "a lost answer is given again"
    third = judged(refresh(second), 200)
    fourth = judged(refresh(third), 200)
    judged(app.get("/orders", headers=bearer(fourth)), 200)
    judged(refresh(first), 400, error="invalid_grant")
    judged(refresh(fourth), 400, error="invalid_grant")
    for tokens in [first, second, third, fourth]:
        judged(app.get("/orders", headers=bearer(tokens)), 401, code="token-invalid")
    mail("used twice")


def sets_a_second_factor() -> tuple[str, list[str]]:
    tokens = judged(form(username=ADDRESS, password=OLD), 200)
    own = bearer(tokens)
    judged(app.post("/auth/api/second-factor/enrol", json={"password": NEW}, headers=own), 400)
    made = judged(app.post("/auth/api/second-factor/enrol", json={"password": OLD}, headers=own), 200)
    assert made["url"].startswith("otpauth://totp/"), made
    secret = made["secret"]
    judged(app.post("/auth/api/second-factor/confirm", json={"code": "000000"}, headers=own), 400)
    first = {"code": code(secret)}
    codes = judged(app.post("/auth/api/second-factor/confirm", json=first, headers=own), 200)
    assert len(codes["recovery_codes"]) == 10, codes
    judged(app.get("/auth/api/me", headers=own), 200, email=ADDRESS)

    # Of the step after that one: a step is good once.
    second = code(secret, 1)
    judged(app.get("/orders", headers=bearer(log_in(OLD, second))), 200)
    asked = judged(form(username=ADDRESS, password=OLD), 400, error="mfa_required")
    judged(form(grant_type=MFA, mfa_token=asked["mfa_token"], otp=second), 400, error="invalid_grant")
    return secret, codes["recovery_codes"]


def loses_the_phone(codes: list[str]) -> httpx.Client:
    """Logs a browser in with a recovery code."""
    browser = client()
    asked = {"email": ADDRESS, "password": OLD}
    ticket = judged(browser.post("/auth/api/login", json=asked), 403, error="mfa_required")["mfa_token"]
    step = {"mfa_token": ticket, "code": codes[0]}
    judged(browser.post("/auth/api/login/second-factor", json=step), 200)
    cookie = next(iter(browser.cookies.jar))
    assert (cookie.name, cookie.secure, cookie.path) == ("__Host-session", True, "/"), cookie
    judged(browser.get("/orders"), 200)
    asked = judged(form(username=ADDRESS, password=OLD), 400, error="mfa_required")
    judged(form(grant_type=MFA, mfa_token=asked["mfa_token"], otp=codes[0]), 400, error="invalid_grant")
    mail("recovery code")
    return browser


def ends_sessions(browser: httpx.Client, codes: list[str]) -> None:
    elsewhere = log_in(OLD, codes[1])
    known = judged(browser.get("/auth/api/sessions"), 200)
    assert [session["is_current"] for session in known].count(True) == 1, known
    newest = max(known, key=lambda session: session["created"])
    assert newest["kind"] == "tokens" and not newest["is_current"], known
    judged(app.get("/orders", headers=bearer(elsewhere)), 200)
    judged(browser.delete(f"/auth/api/sessions/{newest['id']}"), 204)
    judged(app.get("/orders", headers=bearer(elsewhere)), 401)
    judged(form(grant_type="refresh_token", refresh_token=elsewhere["refresh_token"]), 400)
    judged(browser.delete(f"/auth/api/sessions/{newest['id']}"), 404)
    assert len(judged(browser.get("/auth/api/sessions"), 200)) == len(known) - 1


def changes_the_password(browser: httpx.Client, codes: list[str]) -> None:
    elsewhere = log_in(OLD, codes[2])
    wrong = {"current_password": NEW, "new_password": NEW}
    judged(browser.post("/auth/api/password", json=wrong), 400)
    judged(browser.post("/auth/api/password", json={"current_password": OLD, "new_password": "x"}), 422)
    judged(browser.post("/auth/api/password", json={"current_password": OLD, "new_password": NEW}), 204)
    judged(app.get("/orders", headers=bearer(elsewhere)), 401)
    judged(browser.get("/orders"), 200)
    judged(form(username=ADDRESS, password=OLD), 400, error="invalid_grant")
    assert len(judged(browser.get("/auth/api/sessions"), 200)) == 1


def logs_out(browser: httpx.Client, codes: list[str]) -> None:
    tokens = log_in(NEW, codes[3])
    judged(app.post("/auth/revoke", data={"token": tokens["refresh_token"]}), 200)
    judged(app.get("/orders", headers=bearer(tokens)), 401)
    kept = dict(browser.cookies)
    judged(browser.post("/auth/api/logout"), 204)
    assert not browser.cookies, "the browser is told to forget it"
    thief = client()
    thief.cookies.update(kept)
    judged(thief.get("/orders"), 401)


def resets_and_closes(codes: list[str]) -> None:
    judged(app.post("/auth/api/reset-request", json={"email": ADDRESS}), 202)
    judged(app.post("/auth/api/reset", json={"token": link("reset"), "password": OLD}), 200)
    own = bearer(log_in(OLD, codes[4]))
    remove = {"password": OLD, "code": codes[5]}
    judged(app.post("/auth/api/second-factor/remove", json=remove, headers=own), 204)
    own = bearer(judged(form(username=ADDRESS, password=OLD), 200))
    judged(app.post("/auth/api/close", json={"password": NEW}, headers=own), 400)
    judged(app.post("/auth/api/close", json={"password": OLD}, headers=own), 204)
    judged(app.get("/orders", headers=own), 401)
    judged(form(username=ADDRESS, password=OLD), 400, error="invalid_grant")
    mail("was closed")


registers_and_verifies()
refreshes()
_, recovery = sets_a_second_factor()
person = loses_the_phone(recovery)
ends_sessions(person, recovery)
changes_the_password(person, recovery)
logs_out(person, recovery)
resets_and_closes(recovery)
print("done")
