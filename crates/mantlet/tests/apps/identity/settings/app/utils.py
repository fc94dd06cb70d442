from datetime import UTC, datetime, timedelta
from pathlib import Path

from jose import JWTError, jwt

from app.core import security
from app.core.config import settings


def send_email(*, email_to: str, subject: str, content: str) -> None:
    """Without a mail server, e-mails are files."""
    folder = Path(settings.EMAILS_FOLDER)
    folder.mkdir(exist_ok=True)
    (folder / f"{email_to}.txt").write_text(f"Subject: {subject}\n\n{content}\n")


def generate_password_reset_token(email: str) -> str:
    now = datetime.now(UTC)
    expires = now + timedelta(hours=settings.EMAIL_RESET_TOKEN_EXPIRE_HOURS)
    claims = {"exp": expires, "nbf": now, "sub": email}
    return jwt.encode(claims, settings.SECRET_KEY, algorithm=security.ALGORITHM)


def verify_password_reset_token(token: str) -> str | None:
    try:
        decoded = jwt.decode(token, settings.SECRET_KEY, algorithms=[security.ALGORITHM])
        return str(decoded["sub"])
    except JWTError:
        return None
