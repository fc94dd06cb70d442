"""SQLAdmin: an administration with a login that lives in a cookie, tables, forms, and uploads."""

import tempfile

from fastapi import FastAPI
from sqladmin import Admin, ModelView
from sqladmin.authentication import AuthenticationBackend
from sqlalchemy import Boolean, Column, Integer, String, create_engine
from sqlalchemy.orm import declarative_base
from sqlalchemy.pool import StaticPool
from starlette.requests import Request

engine = create_engine("sqlite://", connect_args={"check_same_thread": False}, poolclass=StaticPool)
Base = declarative_base()


class User(Base):
    __tablename__ = "users"
    id = Column(Integer, primary_key=True)
    name = Column(String)
    password = Column(String)
    is_admin = Column(Boolean, default=False)


Base.metadata.create_all(engine)


class Login(AuthenticationBackend):
    async def login(self, request: Request) -> bool:
        form = await request.form()
        if form["username"] != "ann" or form["password"] != "moat":
            return False
        request.session.update({"token": "ann"})
        return True

    async def logout(self, request: Request) -> bool:
        request.session.clear()
        return True

    async def authenticate(self, request: Request) -> bool:
        return request.session.get("token") == "ann"


class Users(ModelView, model=User):
    column_list = [User.id, User.name, User.password, User.is_admin]
    column_searchable_list = [User.name]
    column_sortable_list = [User.name]
    can_export = True


app = FastAPI()
admin = Admin(app, engine, authentication_backend=Login(secret_key="a key for tests"))
admin.add_view(Users)


@app.get("/api/users")
def users() -> list[str]:
    return []
