"""A mail server for tests that keeps what it gets: each mail is one line of JSON on stdout.

The first line is its port. What a recipient's name begins with decides: `busy` is refused for now
the first time, `gone` for good.
"""

import asyncio
import email
import email.policy
import json
import ssl
import sys

from aiosmtpd.smtp import SMTP, AuthResult, Envelope, Session

OPTIONS = json.loads(sys.argv[1])


def say(what: object) -> None:
    print(json.dumps(what), flush=True)


class Sink:
    def __init__(self) -> None:
        self.busy: set[str] = set()

    async def handle_MAIL(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if OPTIONS.get("refuses_sender"):
            return "550 5.7.1 not from you"
        envelope.mail_from = address
        return "250 ok"

    async def handle_RCPT(
        self, server: SMTP, session: Session, envelope: Envelope, address: str, options: list[str]
    ) -> str:
        if address.startswith("gone"):
            return "550 5.1.1 no such mailbox"
        if address.startswith("busy") and address not in self.busy:
            self.busy.add(address)
            return "451 4.7.1 come back later"
        envelope.rcpt_tos.append(address)
        return "250 ok"

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        content = envelope.content
        assert isinstance(content, bytes)
        message = email.message_from_bytes(content, policy=email.policy.default)
        say(
            {
                "from": envelope.mail_from,
                "to": envelope.rcpt_tos,
                "encrypted": session.ssl is not None,
                "user": session.auth_data,
                "hello": session.host_name,
                "headers": [[name, str(value)] for name, value in message.items()],
                "type": message.get_content_type(),
                "parts": [[part.get_content_type(), part.get_content()] for part in message.iter_parts()],
                "defects": [str(defect) for part in message.walk() for defect in part.defects],
                "raw": content.decode("ascii"),
            }
        )
        return "250 ok"


def authenticate(
    server: SMTP, session: Session, envelope: Envelope, mechanism: str, data: object
) -> AuthResult:
    pair = [part.decode() for part in (data.login, data.password)]  # type: ignore[attr-defined]
    return AuthResult(success=pair == OPTIONS["login"], auth_data=pair[0], handled=False)


async def main() -> None:
    context = None
    if "certificate" in OPTIONS:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(OPTIONS["certificate"], OPTIONS["key"])
    is_implicit = OPTIONS.get("implicit", False)
    login = "login" in OPTIONS
    sink = Sink()

    def server() -> SMTP:
        return SMTP(
            sink,
            hostname="sink",
            tls_context=None if is_implicit else context,
            require_starttls=context is not None and not is_implicit,
            authenticator=authenticate if login else None,
            auth_required=login,
            auth_require_tls=login and not is_implicit,
        )

    loop = asyncio.get_running_loop()
    port = OPTIONS.get("port", 0)
    listening = await loop.create_server(server, "127.0.0.1", port, ssl=context if is_implicit else None)
    say(listening.sockets[0].getsockname()[1])
    await listening.serve_forever()


asyncio.run(main())
