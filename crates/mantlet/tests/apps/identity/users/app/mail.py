from pathlib import Path

OUTBOX = Path("outbox")


def send(to: str, subject: str, text: str) -> None:
    """No mail server yet: e-mails are files."""
    OUTBOX.mkdir(exist_ok=True)
    (OUTBOX / f"{to}.txt").write_text(f"Subject: {subject}\n\n{text}\n")
