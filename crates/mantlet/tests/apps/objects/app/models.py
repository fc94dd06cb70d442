"""Tables, and what goes in and out."""

import uuid
from datetime import UTC, datetime

from pydantic import ConfigDict, EmailStr
from pydantic.alias_generators import to_camel
from sqlmodel import Field, Relationship, SQLModel


def now() -> datetime:
    return datetime.now(UTC)


class Membership(SQLModel, table=True):
    organization_id: uuid.UUID = Field(foreign_key="organization.id", primary_key=True)
    user_id: uuid.UUID = Field(foreign_key="user.id", primary_key=True)
    is_admin: bool = False


class BoardShare(SQLModel, table=True):
    board_id: uuid.UUID = Field(foreign_key="board.id", primary_key=True, ondelete="CASCADE")
    user_id: uuid.UUID = Field(foreign_key="user.id", primary_key=True)


# Users and their organisations


class UserBase(SQLModel):
    email: EmailStr = Field(unique=True, index=True)
    full_name: str | None = None
    is_superuser: bool = False


class User(UserBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    hashed_password: str
    memberships: list[Membership] = Relationship()


class UserUpdate(SQLModel):
    full_name: str | None = Field(default=None, max_length=80)


class UserPublic(UserBase):
    id: uuid.UUID


class UserMe(UserPublic):
    org_ids: list[uuid.UUID]
    admin_org_ids: list[uuid.UUID]


class Organization(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    name: str


class Member(SQLModel):
    user_id: uuid.UUID
    is_admin: bool = False


class ProjectBase(SQLModel):
    name: str = Field(max_length=200)
    budget_cents: int = 0


class Project(ProjectBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    organization_id: uuid.UUID = Field(foreign_key="organization.id", index=True)


class ProjectPublic(ProjectBase):
    id: uuid.UUID
    organization_id: uuid.UUID


class ProjectUpdate(SQLModel):
    name: str | None = Field(default=None, max_length=200)
    budget_cents: int | None = None


# Notes with comments and an attachment


class NoteBase(SQLModel):
    title: str = Field(max_length=200)
    body: str = ""


class Note(NoteBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    # Templates belong to the system.
    owner_id: uuid.UUID | None = Field(default=None, foreign_key="user.id", index=True)
    version: int = 1
    deleted_at: datetime | None = None
    attachment: str | None = None
    comments: list["Comment"] = Relationship(back_populates="note", cascade_delete=True)


class NoteCreate(NoteBase):
    # A superuser may write for others.
    owner_id: uuid.UUID | None = None


class NoteUpdate(SQLModel):
    title: str | None = Field(default=None, max_length=200)
    body: str | None = None


class NotePublic(NoteBase):
    id: uuid.UUID
    owner_id: uuid.UUID | None
    version: int


class NotesPublic(SQLModel):
    data: list[NotePublic]
    count: int


class Ids(SQLModel):
    ids: list[uuid.UUID] = Field(min_length=1, max_length=100)


class Comment(SQLModel, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    note_id: uuid.UUID = Field(foreign_key="note.id", index=True, ondelete="CASCADE")
    author_id: uuid.UUID = Field(foreign_key="user.id")
    text: str
    note: Note = Relationship(back_populates="comments")


class CommentCreate(SQLModel):
    text: str = Field(min_length=1, max_length=2000)


class CommentPublic(CommentCreate):
    id: uuid.UUID
    note_id: uuid.UUID
    author_id: uuid.UUID


# Invoices: the accounting department's frontend wants camelCase


class InvoiceBase(SQLModel):
    subject: str
    amount_cents: int = Field(gt=0)


class Invoice(InvoiceBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    owner_id: uuid.UUID = Field(foreign_key="user.id", index=True)
    paid_at: datetime | None = None


class InvoiceUpdate(SQLModel):
    subject: str


class InvoicePublic(InvoiceBase):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)

    id: uuid.UUID
    owner_id: uuid.UUID
    is_paid: bool


# Boards, which are shared


class BoardBase(SQLModel):
    title: str = Field(max_length=200)


class Board(BoardBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    owner_id: uuid.UUID = Field(foreign_key="user.id", index=True)
    readers: list[User] = Relationship(link_model=BoardShare)


class BoardPublic(BoardBase):
    id: uuid.UUID
    owner_id: uuid.UUID


class Token(SQLModel):
    access_token: str
    token_type: str = "bearer"
