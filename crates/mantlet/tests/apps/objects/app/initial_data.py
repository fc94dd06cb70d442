"""The first users, organisations and templates."""

import uuid

from sqlmodel import Session, SQLModel, select

from app.db import engine
from app.models import Membership, Note, Organization, User
from app.security import passwords

ARCHERS = uuid.UUID("0a7c4e5e-3f0b-4b57-9a35-2d8f8f1f0a01")
MASONS = uuid.UUID("0a7c4e5e-3f0b-4b57-9a35-2d8f8f1f0a02")
WELCOME = uuid.UUID("0a7c4e5e-3f0b-4b57-9a35-2d8f8f1f0a03")

# Each one's password is the name and `-password`.
USERS = {
    "ann": [(ARCHERS, True)],
    "bob": [(ARCHERS, False)],
    "cora": [(MASONS, True)],
    "dan": [],
    "root": [],
}


def create() -> None:
    SQLModel.metadata.create_all(engine)
    with Session(engine) as session:
        if session.exec(select(User)).first() is not None:
            return
        session.add_all([Organization(id=ARCHERS, name="Archers"), Organization(id=MASONS, name="Masons")])
        for name, memberships in USERS.items():
            user = User(
                email=f"{name}@workspace.example.com",
                full_name=name.title(),
                hashed_password=passwords.hash(f"{name}-password"),
                is_superuser=name == "root",
            )
            user.memberships = [
                Membership(organization_id=organization_id, user_id=user.id, is_admin=is_admin)
                for organization_id, is_admin in memberships
            ]
            session.add(user)
        session.add(Note(id=WELCOME, title="Welcome", body="How a note is written"))
        session.commit()
