"""Objects of SQLModel in the shape of FastAPI's full-stack template: UUID keys, a base for each model, pages
with a count. Never asked for anything: only what the app says of itself is read."""

import uuid
from collections.abc import Generator
from typing import Annotated, Any, Optional

from fastapi import APIRouter, Depends, FastAPI, HTTPException
from fastapi.security import OAuth2PasswordBearer
from sqlmodel import Field, Relationship, Session, SQLModel


class UserBase(SQLModel):
    email: str = Field(unique=True, index=True, max_length=255)
    is_active: bool = True
    is_superuser: bool = False
    full_name: Optional[str] = Field(default=None, max_length=255)


class User(UserBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    hashed_password: str
    items: list["Item"] = Relationship(back_populates="owner", cascade_delete=True)


class UserPublic(UserBase):
    id: uuid.UUID


class UsersPublic(SQLModel):
    data: list[UserPublic]
    count: int


class Profile(SQLModel):
    """What everybody may see."""

    id: uuid.UUID
    full_name: Optional[str] = None


class ItemBase(SQLModel):
    title: str = Field(min_length=1, max_length=255)
    description: Optional[str] = Field(default=None, max_length=255)


class ItemCreate(ItemBase):
    pass


class ItemUpdate(ItemBase):
    title: Optional[str] = Field(default=None, min_length=1, max_length=255)  # type: ignore


class Item(ItemBase, table=True):
    id: uuid.UUID = Field(default_factory=uuid.uuid4, primary_key=True)
    owner_id: uuid.UUID = Field(foreign_key="user.id", nullable=False, ondelete="CASCADE")
    owner: Optional[User] = Relationship(back_populates="items")


class ItemPublic(ItemBase):
    id: uuid.UUID
    owner_id: uuid.UUID


class ItemsPublic(SQLModel):
    data: list[ItemPublic]
    count: int


class Tool(SQLModel, table=True):
    """Shown as it is stored."""

    id: Optional[int] = Field(default=None, primary_key=True)
    name: str
    lent_to: Optional[uuid.UUID] = Field(default=None, foreign_key="user.id")


class Message(SQLModel):
    message: str


def get_db() -> Generator[Session, None, None]:
    with Session() as session:
        yield session


SessionDep = Annotated[Session, Depends(get_db)]
TokenDep = Annotated[str, Depends(OAuth2PasswordBearer(tokenUrl="/api/v1/login/access-token"))]


def get_current_user(session: SessionDep, token: TokenDep) -> User:
    user = session.get(User, token)
    if not user:
        raise HTTPException(status_code=404, detail="User not found")
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def get_current_active_superuser(current_user: CurrentUser) -> User:
    if not current_user.is_superuser:
        raise HTTPException(status_code=403, detail="The user doesn't have enough privileges")
    return current_user


users = APIRouter(prefix="/users", tags=["users"])
superuser = [Depends(get_current_active_superuser)]


@users.get("/", dependencies=superuser, response_model=UsersPublic)
def read_users(session: SessionDep, skip: int = 0, limit: int = 100) -> Any: ...


@users.post("/", dependencies=superuser, response_model=UserPublic)
def create_user(session: SessionDep) -> Any: ...


@users.get("/me", response_model=UserPublic)
def read_user_me(current_user: CurrentUser) -> Any:
    return current_user


@users.patch("/me", response_model=UserPublic)
def update_user_me(session: SessionDep, current_user: CurrentUser) -> Any: ...


@users.delete("/me", response_model=Message)
def delete_user_me(session: SessionDep, current_user: CurrentUser) -> Any: ...


@users.get("/{user_id}", response_model=UserPublic)
def read_user_by_id(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> Any: ...


@users.patch("/{user_id}", dependencies=superuser, response_model=UserPublic)
def update_user(user_id: uuid.UUID, session: SessionDep) -> Any: ...


@users.delete("/{user_id}", dependencies=superuser)
def delete_user(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> Message: ...


@users.get("/{user_id}/items", response_model=ItemsPublic)
def read_items_of(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> Any: ...


@users.post("/{user_id}/follow")
def follow(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> Message: ...


profiles = APIRouter(prefix="/profiles", tags=["profiles"])


@profiles.get("/{user_id}", response_model=Profile)
def read_profile(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> Any: ...


items = APIRouter(prefix="/items", tags=["items"])


@items.get("/", response_model=ItemsPublic)
def read_items(session: SessionDep, current_user: CurrentUser, skip: int = 0, limit: int = 100) -> Any: ...


@items.get("/{id}", response_model=ItemPublic)
def read_item(session: SessionDep, current_user: CurrentUser, id: uuid.UUID) -> Any: ...


@items.post("/", response_model=ItemPublic)
def create_item(*, session: SessionDep, current_user: CurrentUser, item_in: ItemCreate) -> Any: ...


@items.put("/{id}", response_model=ItemPublic)
def update_item(*, session: SessionDep, current_user: CurrentUser, id: uuid.UUID, item_in: ItemUpdate) -> Any: ...


@items.delete("/{id}")
def delete_item(session: SessionDep, current_user: CurrentUser, id: uuid.UUID) -> Message: ...


tools = APIRouter(prefix="/tools", tags=["tools"])


@tools.get("/{tool_id}")
def read_tool(tool_id: int, session: SessionDep, current_user: CurrentUser) -> Tool: ...


app = FastAPI(title="Guild")
for router in (users, profiles, items, tools):
    app.include_router(router, prefix="/api/v1")
