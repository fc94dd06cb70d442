"""A market of companies and their customers, by SQLAlchemy with numbers as keys. Some objects are for all, some
for members of a company, some for one customer or another. Never asked for anything: only what the app says
of itself is read."""

from typing import Annotated, Optional

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query
from fastapi.responses import FileResponse
from fastapi.security import OAuth2PasswordBearer
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    id: Mapped[int] = mapped_column(primary_key=True)


class User(Base):
    __tablename__ = "users"
    email: Mapped[str] = mapped_column(unique=True)
    password_hash: Mapped[str]


class Company(Base):
    __tablename__ = "companies"
    name: Mapped[str]


class CompanyMember(Base):
    __tablename__ = "company_members"
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Product(Base):
    """Which all may see."""

    __tablename__ = "products"
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    name: Mapped[str]


class Contract(Base):
    __tablename__ = "contracts"
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))
    text: Mapped[str]


class Clause(Base):
    __tablename__ = "clauses"
    contract_id: Mapped[int] = mapped_column(ForeignKey("contracts.id"))
    text: Mapped[str]


class Address(Base):
    __tablename__ = "addresses"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    street: Mapped[str]


class Order(Base):
    """Of its customer, and of the company."""

    __tablename__ = "orders"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    company_id: Mapped[int] = mapped_column(ForeignKey("companies.id"))


class Parcel(Base):
    """Of who has sent it, and of whose address it is sent to."""

    __tablename__ = "parcels"
    sender_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    address_id: Mapped[int] = mapped_column(ForeignKey("addresses.id"))


class Cart(Base):
    """Without an owner, until its maker logs in."""

    __tablename__ = "carts"
    user_id: Mapped[Optional[int]] = mapped_column(ForeignKey("users.id"))


class Story(Base):
    """Which all may read, and say something to."""

    __tablename__ = "stories"
    author_id: Mapped[int] = mapped_column(ForeignKey("users.id"))
    text: Mapped[str]


class Photo(Base):
    """Which all who have logged in may see: nothing in the code says so."""

    __tablename__ = "photos"
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id"))


class Out(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int


class Me(Out):
    email: str
    company_ids: list[int]


class CompanyOut(Out):
    name: str


class ProductOut(Out):
    company_id: int
    name: str


class ContractOut(Out):
    company_id: int
    text: str


class ClauseOut(Out):
    contract_id: int
    text: str


class AddressOut(Out):
    user_id: int
    street: str


class NewAddress(BaseModel):
    user_id: Optional[int] = None
    street: str


class OrderOut(Out):
    user_id: int
    company_id: int


class ParcelOut(Out):
    sender_id: int
    address_id: int


class CartOut(Out):
    user_id: Optional[int]


class StoryOut(Out):
    author_id: int
    text: str


class PhotoOut(Out):
    user_id: int


class Chosen(BaseModel):
    address_ids: list[int] = Field(max_length=50)


class Many(BaseModel):
    ids: list[int]


def get_current_user(token: Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="token"))]) -> User:
    raise HTTPException(401)


CurrentUser = Annotated[User, Depends(get_current_user)]
router = APIRouter()


@router.get("/me", response_model=Me)
def me(user: CurrentUser): ...


# Companies and what is theirs


@router.get("/companies/{company_id}", response_model=CompanyOut)
def company(company_id: int, user: CurrentUser): ...


@router.patch("/companies/{company_id}", response_model=CompanyOut)
def change_company(company_id: int, user: CurrentUser): ...


@router.post("/companies/{company_id}/join", status_code=204)
def join(company_id: int, user: CurrentUser) -> None: ...


@router.get("/companies/{company_id}/contracts", response_model=list[ContractOut])
def contracts(company_id: int, user: CurrentUser): ...


@router.get("/contracts/export")
def export_contracts(company_id: int, user: CurrentUser) -> FileResponse: ...


@router.get("/contracts/{contract_id}", response_model=ContractOut)
def contract(contract_id: int, user: CurrentUser): ...


@router.get("/contracts/{contract_id}/file")
def contract_file(contract_id: int, user: CurrentUser) -> FileResponse: ...


@router.get("/clauses/{clause_id}", response_model=ClauseOut)
def clause(clause_id: int, user: CurrentUser): ...


@router.get("/products", response_model=list[ProductOut])
def products(): ...


@router.get("/products/{product_id}", response_model=ProductOut)
def product(product_id: int, user: CurrentUser): ...


@router.patch("/products/{product_id}", response_model=ProductOut)
def change_product(product_id: int, user: CurrentUser): ...


@router.post("/products/{product_id}/questions", status_code=204)
def ask(product_id: int, user: CurrentUser) -> None: ...


# Customers and what is theirs


@router.get("/addresses", response_model=list[AddressOut])
def addresses(user: CurrentUser, user_id: Optional[int] = None): ...


@router.post("/addresses", response_model=AddressOut)
def create_address(new: NewAddress, user: CurrentUser): ...


@router.post("/addresses/merge", status_code=204)
def merge_addresses(chosen: Chosen, user: CurrentUser) -> None: ...


@router.post("/addresses/remove", status_code=204)
def remove_addresses(many: Many, user: CurrentUser) -> None: ...


@router.get("/addresses/labels")
def labels(ids: Annotated[list[int], Query(max_length=20)], user: CurrentUser) -> FileResponse: ...


@router.get("/addresses/{address_id}", response_model=AddressOut)
def address(address_id: int, user: CurrentUser): ...


@router.get("/orders/{order_id}", response_model=OrderOut)
def order(order_id: int, user: CurrentUser): ...


@router.get("/parcels", response_model=list[ParcelOut])
def parcels(user: CurrentUser): ...


@router.get("/parcels/{parcel_id}", response_model=ParcelOut)
def parcel(parcel_id: int, user: CurrentUser): ...


@router.post("/parcels/{parcel_id}/track", status_code=204)
def track(parcel_id: int, user: CurrentUser) -> None: ...


@router.post("/carts", response_model=CartOut)
def create_cart(): ...


@router.get("/carts/{cart_id}", response_model=CartOut)
def cart(cart_id: int, user: CurrentUser): ...


@router.patch("/carts/{cart_id}", response_model=CartOut)
def change_cart(cart_id: int, user: CurrentUser): ...


# What is for all


@router.get("/stories", response_model=list[StoryOut])
def stories(): ...


@router.get("/stories/{story_id}", response_model=StoryOut)
def story(story_id: int, user: CurrentUser): ...


@router.delete("/stories/{story_id}", status_code=204)
def delete_story(story_id: int, user: CurrentUser) -> None: ...


@router.post("/stories/{story_id}/replies", status_code=204)
def reply(story_id: int, user: CurrentUser) -> None: ...


@router.get("/photos/{photo_id}", response_model=PhotoOut)
def photo(photo_id: int, user: CurrentUser): ...


app = FastAPI(title="Market")
app.include_router(router)
