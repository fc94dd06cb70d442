"""Objects with owners of every kind, by async SQLAlchemy with `Mapped[]`. Never asked for anything: only
what the app says of itself is read."""

from __future__ import annotations

import enum
import uuid
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Generic, List, Optional, TypeVar

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel
from sqlalchemy import Column, ForeignKey, ForeignKeyConstraint, Table, UniqueConstraint, select
from sqlalchemy.ext.asyncio import AsyncAttrs, AsyncSession, async_sessionmaker
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(AsyncAttrs, DeclarativeBase):
    pass


class Timestamps:
    created_at: Mapped[datetime] = mapped_column(default=datetime.now)
    deleted_at: Mapped[Optional[datetime]]


class Role(enum.Enum):
    reader = "reader"
    editor = "editor"
    admin = "admin"


class Account(Timestamps, Base):
    __tablename__ = "accounts"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid.uuid4)
    email: Mapped[str] = mapped_column(unique=True)
    pw_hash: Mapped[str]
    is_staff: Mapped[bool] = mapped_column(default=False)
    role: Mapped[Role] = mapped_column(default=Role.reader)


# One owner; soft deletes; a second class of the same base


class Document(Timestamps, Base):
    __tablename__ = "documents"
    id: Mapped[int] = mapped_column(primary_key=True)
    title: Mapped[str]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    comments: Mapped[List[Comment]] = relationship(back_populates="document")


# Nested: once, twice


class Comment(Timestamps, Base):
    __tablename__ = "comments"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    document_id: Mapped[int] = mapped_column(ForeignKey("documents.id"))
    document: Mapped[Document] = relationship(back_populates="comments")


class Reaction(Base):
    __tablename__ = "reactions"
    id: Mapped[int] = mapped_column(primary_key=True)
    sign: Mapped[str]
    comment_id: Mapped[int] = mapped_column(ForeignKey("comments.id"))


# No owner at times; the owner as an object


class Note(Base):
    __tablename__ = "notes"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    author_id: Mapped[Optional[uuid.UUID]] = mapped_column(ForeignKey("accounts.id"))
    author: Mapped[Optional[Account]] = relationship()


# Several users


class Coupon(Base):
    __tablename__ = "coupons"
    id: Mapped[int] = mapped_column(primary_key=True)
    code: Mapped[str]
    user_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    referrer_user_id: Mapped[Optional[uuid.UUID]] = mapped_column(ForeignKey("accounts.id"))


class Approval(Base):
    __tablename__ = "approvals"
    id: Mapped[int] = mapped_column(primary_key=True)
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    approved_by: Mapped[Optional[uuid.UUID]] = mapped_column(ForeignKey("accounts.id"))


# Shared by the members of an organisation


members = Table(
    "organisation_members",
    Base.metadata,
    Column("organisation_id", ForeignKey("organisations.id"), primary_key=True),
    Column("account_id", ForeignKey("accounts.id"), primary_key=True),
)


class Organisation(Base):
    __tablename__ = "organisations"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    founded_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    members: Mapped[List[Account]] = relationship(secondary=members)


class Project(Base):
    __tablename__ = "projects"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))
    created_by: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))


class Milestone(Base):
    __tablename__ = "milestones"
    id: Mapped[int] = mapped_column(primary_key=True)
    organisation_id: Mapped[int] = mapped_column(ForeignKey("organisations.id"))


# Keys of several columns


class Shipment(Base):
    __tablename__ = "shipments"
    tenant: Mapped[str] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))


class Parcel(Base):
    __tablename__ = "parcels"
    __table_args__ = (ForeignKeyConstraint(["tenant", "number"], ["shipments.tenant", "shipments.number"]),)
    id: Mapped[int] = mapped_column(primary_key=True)
    tenant: Mapped[str]
    number: Mapped[int]


# A column of another name, and a foreign key to another column than the key


class Letter(Base):
    __tablename__ = "letters"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    sender: Mapped[str] = mapped_column("sender_email", ForeignKey("accounts.email"))


# Not in the answer


class Secret(Base):
    __tablename__ = "secrets"
    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))


# In itself


class Category(Base):
    __tablename__ = "categories"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[Optional[int]] = mapped_column(ForeignKey("categories.id"))


class Folder(Base):
    __tablename__ = "folders"
    id: Mapped[int] = mapped_column(primary_key=True)
    name: Mapped[str]
    parent_id: Mapped[Optional[int]] = mapped_column(ForeignKey("folders.id"))
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))


# Pages, names that begin alike, classes that derive from others, a reader for all


class Invoice(Base):
    __tablename__ = "invoices"
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int]
    customer_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))


class InvoiceLine(Base):
    __tablename__ = "invoice_lines"
    id: Mapped[int] = mapped_column(primary_key=True)
    cents: Mapped[int]
    invoice_id: Mapped[int] = mapped_column(ForeignKey("invoices.id"))


class Medium(Base):
    __tablename__ = "media"
    id: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    owner_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    __mapper_args__ = {"polymorphic_on": "kind", "polymorphic_identity": "medium"}


class Photo(Medium):
    __tablename__ = "photos"
    id: Mapped[int] = mapped_column(ForeignKey("media.id"), primary_key=True)
    width: Mapped[int]
    __mapper_args__ = {"polymorphic_identity": "photo"}


class Article(Base):
    __tablename__ = "articles"
    id: Mapped[int] = mapped_column(primary_key=True)
    slug: Mapped[str] = mapped_column(unique=True)
    author_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))


class Rating(Base):
    __tablename__ = "ratings"
    __table_args__ = (UniqueConstraint("account_id", "category_id"),)
    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("accounts.id"))
    category_id: Mapped[int] = mapped_column(ForeignKey("categories.id"))


class Orphan(Base):
    """Its table is nowhere."""

    __tablename__ = "orphans"
    id: Mapped[int] = mapped_column(primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("absent.id"))
    broken: Mapped[str] = relationship("Absent")  # it would fail if it were configured


# Answers


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)


class AccountOut(Out):
    id: uuid.UUID
    email: str
    is_staff: bool
    role: Role


class DocumentOut(Out):
    model_config = ConfigDict(from_attributes=True, alias_generator=to_camel, populate_by_name=True)
    id: int
    title: str
    owner_id: uuid.UUID


class CommentOut(Out):
    id: int
    text: str
    document_id: int


class CommentWithDocument(CommentOut):
    document: DocumentOut


class ReactionOut(Out):
    id: int
    sign: str
    comment_id: int


class NoteOut(Out):
    id: int
    text: str
    author: Optional[AccountOut]


class CouponOut(Out):
    id: int
    code: str
    user_id: uuid.UUID


class ApprovalOut(Out):
    id: int
    created_by: uuid.UUID


class OrganisationOut(Out):
    id: int
    name: str
    founded_by: uuid.UUID


class ProjectOut(Out):
    id: int
    name: str
    created_by: uuid.UUID


class MilestoneOut(Out):
    id: int
    organisation_id: int


class ShipmentOut(Out):
    tenant: str
    number: int
    account_id: uuid.UUID


class ParcelOut(Out):
    id: int
    tenant: str


class LetterOut(Out):
    id: int
    text: str
    by: str = Field(validation_alias="sender", serialization_alias="from/by")


class SecretOut(Out):
    id: int
    text: str


class CategoryOut(Out):
    id: int
    name: str
    parent_id: Optional[int]


class FolderOut(Out):
    id: int
    name: str
    owner_id: uuid.UUID


class InvoiceOut(Out):
    id: int
    cents: int
    customer_id: uuid.UUID


class InvoiceLineOut(Out):
    id: int
    cents: int
    invoice_id: int


class PhotoOut(Out):
    id: int
    width: int
    owner_id: uuid.UUID


class ArticleOut(Out):
    id: int
    slug: str
    author_id: uuid.UUID


class DocumentStatistics(BaseModel):
    """It is called like a document, and shows something else."""

    words: int
    readers: int
    id: int


T = TypeVar("T")


class Page(BaseModel, Generic[T]):
    items: List[T]
    total: int
    page: int


class Envelope(BaseModel, Generic[T]):
    data: T
    took: float


# Operations


sessions = async_sessionmaker()


async def session() -> AsyncIterator[AsyncSession]:
    async with sessions() as opened:
        yield opened


Session = Annotated[AsyncSession, Depends(session)]
oauth2 = OAuth2PasswordBearer(tokenUrl="token")


async def get_current_user(token: Annotated[str, Depends(oauth2)], session: Session):  # noqa: ANN201
    return await session.scalar(select(Account).where(Account.email == token))


async def get_current_active_user(account: Annotated[Account, Depends(get_current_user)]):  # noqa: ANN201
    if account.deleted_at:
        raise HTTPException(400, "Inactive")
    return account


CurrentUser = Annotated[Account, Depends(get_current_active_user)]


class RoleChecker:
    def __init__(self, role: Role) -> None:
        self.role = role

    def __call__(self, user: CurrentUser) -> None:
        if user.role is not self.role:
            raise HTTPException(403)


router = APIRouter()


@router.get("/me", response_model=AccountOut)
async def me(user: CurrentUser): ...


@router.get("/accounts", response_model=List[AccountOut])
async def accounts(user: CurrentUser): ...


@router.get("/accounts/{account_id}", response_model=AccountOut)
async def account(account_id: uuid.UUID, user: CurrentUser): ...


@router.get("/accounts/{account_id}/documents", response_model=List[DocumentOut])
async def documents_of(account_id: uuid.UUID, user: CurrentUser): ...


@router.get("/documents/{document_id}", response_model=DocumentOut)
async def document(document_id: int, user: CurrentUser): ...


@router.patch("/documents/{document_id}", response_model=DocumentOut)
async def change_document(document_id: int, user: CurrentUser): ...


@router.delete("/documents/{document_id}", status_code=204)
async def delete_document(document_id: int, user: CurrentUser) -> None: ...


@router.post("/documents/{document_id}/archive", status_code=204)
async def archive_document(document_id: int, user: CurrentUser) -> None: ...


@router.post("/documents", response_model=DocumentOut)
async def create_document(user: CurrentUser): ...


@router.get("/documents", response_model=List[DocumentOut])
async def documents(user: CurrentUser): ...


@router.get("/documents/{document_id}/statistics", response_model=DocumentStatistics)
async def statistics(document_id: int, user: CurrentUser): ...


@router.get("/admin/documents", response_model=List[DocumentOut])
async def all_documents(user: CurrentUser): ...


@router.get("/everything", response_model=List[DocumentOut], dependencies=[Depends(RoleChecker(Role.admin))])
async def everything(user: CurrentUser): ...


@router.get("/documents/{document_id}/comments/{comment_id}", response_model=CommentOut)
async def comment(document_id: int, comment_id: int, user: CurrentUser): ...


@router.get("/comments/{id}", response_model=CommentOut)
async def comment_by_id(id: int, user: CurrentUser): ...


@router.get("/full-comments/{comment_id}", response_model=CommentWithDocument)
async def full_comment(comment_id: int, user: CurrentUser): ...


@router.get("/reactions/{reaction_id}", response_model=ReactionOut)
async def reaction(reaction_id: int, user: CurrentUser): ...


@router.get("/notes/{note_id}", response_model=Optional[NoteOut])
async def note(note_id: int, user: CurrentUser): ...


@router.get("/coupons/{coupon_id}", response_model=CouponOut)
async def coupon(coupon_id: int, user: CurrentUser): ...


@router.get("/approvals/{approval_id}", response_model=ApprovalOut)
async def approval(approval_id: int, user: CurrentUser): ...


@router.get("/organisations/{organisation_id}", response_model=OrganisationOut)
async def organisation(organisation_id: int, user: CurrentUser): ...


@router.get("/projects/{project_id}", response_model=ProjectOut)
async def project(project_id: int, user: CurrentUser): ...


@router.get("/milestones/{milestone_id}", response_model=MilestoneOut)
async def milestone(milestone_id: int, user: CurrentUser): ...


@router.get("/shipments/{tenant}/{number}", response_model=ShipmentOut)
async def shipment(tenant: str, number: int, user: CurrentUser): ...


@router.get("/parcels/{parcel_id}", response_model=ParcelOut)
async def parcel(parcel_id: int, user: CurrentUser): ...


@router.get("/letters/{letter_id}", response_model=LetterOut)
async def letter(letter_id: int, user: CurrentUser): ...


@router.get("/secrets/{secret_id}", response_model=SecretOut)
async def secret(secret_id: int, user: CurrentUser): ...


@router.get("/categories/{category_id}", response_model=CategoryOut)
async def category(category_id: int, user: CurrentUser): ...


@router.get("/folders/{folder_id}", response_model=FolderOut, response_model_exclude={"owner_id"})
async def folder(folder_id: int, user: CurrentUser): ...


@router.get("/invoices", response_model=Page[InvoiceOut])
async def invoices(user: CurrentUser): ...


@router.get("/invoices/{invoice_id}", response_model=Envelope[InvoiceOut])
async def invoice(invoice_id: int, user: CurrentUser): ...


@router.get("/invoices/{invoice_id}/lines/{line_id}", response_model=InvoiceLineOut)
async def line(invoice_id: int, line_id: int, user: CurrentUser): ...


@router.get("/photos/{photo_id}", response_model=PhotoOut)
async def photo(photo_id: int, user: CurrentUser): ...


@router.get("/articles/{slug}", response_model=ArticleOut)
async def article(slug: str): ...


@router.put("/articles/{slug}", response_model=ArticleOut)
async def change_article(slug: str, user: CurrentUser): ...


# Of another type than the key.
@router.get("/invoices/by-name/{invoice_id}")
async def named(invoice_id: str, user: CurrentUser) -> dict: ...


app = FastAPI()
app.include_router(router)
