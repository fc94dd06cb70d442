"""What tenants share: a sound app in a loose style."""

import hashlib
import hmac
import logging
import os
import re
import secrets
import uuid
from datetime import datetime, timedelta, timezone
from enum import Enum
from pathlib import Path
from typing import Annotated, Optional
import bcrypt
import jwt
from fastapi import (
    APIRouter,
    BackgroundTasks,
    Body,
    Depends,
    FastAPI,
    File,
    Header,
    HTTPException,
    Query,
    Request,
    UploadFile,
    status,
)
from fastapi.responses import FileResponse, JSONResponse, RedirectResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, EmailStr, Field
from sqlmodel import Session, SQLModel, Field as F, create_engine, select, col
from sqlalchemy import text

KEY = os.environ["SECRET_KEY"]
log = logging.getLogger(__name__)
engine = create_engine("sqlite://")


class Role(str, Enum):
    member = "member"
    manager = "manager"
    admin = "admin"


class Account(SQLModel, table=True):
    id: Optional[uuid.UUID] = F(default_factory=uuid.uuid4, primary_key=True)
    email: str
    pwd_hash: str
    role: Role = Role.member
    tenant_id: int


class Message(SQLModel, table=True):
    id: Optional[int] = F(default=None, primary_key=True)
    sender_id: uuid.UUID = F(foreign_key="account.id")
    recipient_id: uuid.UUID = F(foreign_key="account.id")
    body: str
    read: bool = False


class Project(SQLModel, table=True):
    id: Optional[int] = F(default=None, primary_key=True)
    tenant_id: int
    name: str


class Task(SQLModel, table=True):
    id: Optional[int] = F(default=None, primary_key=True)
    project_id: int = F(foreign_key="project.id")
    assignee_id: Optional[uuid.UUID] = F(default=None, foreign_key="account.id")
    title: str


class Post(SQLModel, table=True):
    id: Optional[int] = F(default=None, primary_key=True)
    author_id: uuid.UUID = F(foreign_key="account.id")
    text: str
    likes: int = 0


class AccountOut(BaseModel):
    id: uuid.UUID
    email: str
    role: Role


class MessageIn(BaseModel):
    recipient_id: uuid.UUID
    body: str = Field(max_length=1000)


class TaskIn(BaseModel):
    title: str = Field(max_length=100)
    assignee_id: uuid.UUID | None = None


class PostIn(BaseModel):
    text: str = Field(max_length=1000)


class Invite(BaseModel):
    email: EmailStr
    role: Role = Role.member


class Login(BaseModel):
    email: EmailStr
    password: str = Field(max_length=100)


def db():
    with Session(engine) as s:
        yield s


DB = Annotated[Session, Depends(db)]
bearer = HTTPBearer(auto_error=False)


class NotAllowed(Exception):
    pass


def account(cred: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)], s: DB) -> Account:
    if cred is None:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    try:
        claims = jwt.decode(cred.credentials, KEY, algorithms=["HS256"], audience="svc")
    except jwt.PyJWTError as error:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED) from error
    found = s.get(Account, uuid.UUID(claims["sub"]))
    if not found:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED)
    return found


Me = Annotated[Account, Depends(account)]


class RoleChecker:
    def __init__(self, *allowed: Role):
        self.allowed = allowed

    def __call__(self, me: Me) -> Account:
        if me.role not in self.allowed:
            raise HTTPException(403, "forbidden")
        return me


managers = RoleChecker(Role.manager, Role.admin)


class Scope:
    """Services that belong to a request."""

    def __init__(self, me: Me, s: DB):
        self.me, self.s = me, s

    def project(self, project_id: int) -> Project:
        p = self.s.exec(
            select(Project).where(Project.id == project_id, Project.tenant_id == self.me.tenant_id)
        ).one_or_none()
        if p is None:
            raise HTTPException(404)
        return p

    def task(self, task_id: int) -> Task:
        t = self.s.get(Task, task_id)
        if t is None:
            raise HTTPException(404)
        self.project(t.project_id)
        return t


app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)


@app.exception_handler(NotAllowed)
async def not_allowed(r: Request, e: NotAllowed):
    return JSONResponse({"detail": str(e)}, 403)


@app.exception_handler(ValueError)
async def bad(r: Request, e: ValueError):
    return JSONResponse({"detail": str(e)}, 422)


auth = APIRouter(prefix="/auth")


@auth.post("/login")
def login(given: Login, s: DB):
    found = s.exec(select(Account).where(Account.email == given.email)).first()
    if not found or not bcrypt.checkpw(given.password.encode(), found.pwd_hash.encode()):
        raise HTTPException(401, "no")
    now = datetime.now(timezone.utc)
    claims = dict(sub=str(found.id), aud="svc", iat=now, exp=now + timedelta(minutes=15))
    return {"access_token": jwt.encode(claims, KEY, "HS256"), "token_type": "bearer"}


@auth.post("/signup", response_model=AccountOut, status_code=201)
def signup(given: Login, s: DB):
    made = Account(
        email=given.email,
        pwd_hash=bcrypt.hashpw(given.password.encode(), bcrypt.gensalt()).decode(),
        tenant_id=secrets.randbelow(10**9),
    )
    s.add(made)
    s.commit()
    return made


@auth.post("/invite", response_model=AccountOut, status_code=201)
def invite(given: Invite, me: Annotated[Account, Depends(managers)], s: DB):
    made = Account(email=given.email, pwd_hash="!", role=given.role, tenant_id=me.tenant_id)
    s.add(made)
    s.commit()
    return made


@auth.get("/me", response_model=AccountOut)
def me(me: Me):
    return me


@auth.get("/etag")
def etag(password_hint: str = Query(max_length=20)):
    return {"etag": hashlib.sha256(password_hint.encode()).hexdigest()}


messages = APIRouter(prefix="/messages")


@messages.get("")
def inbox(me: Me, s: DB, limit: int = Query(20, le=100)) -> list[Message]:
    return s.exec(select(Message).where(Message.recipient_id == me.id).limit(limit)).all()


@messages.post("", status_code=201)
def send(new: MessageIn, me: Me, s: DB) -> Message:
    m = Message(sender_id=me.id, **new.model_dump())
    s.add(m)
    s.commit()
    return m


@messages.get("/{message_id}")
def message(message_id: int, me: Me, s: DB) -> Message:
    m = s.get(Message, message_id)
    if m is None or me.id not in (m.sender_id, m.recipient_id):
        raise HTTPException(404)
    return m


@messages.post("/{message_id}/read", status_code=204)
def mark(message_id: int, me: Me, s: DB):
    m = message(message_id, me, s)
    m.read = True
    s.commit()


projects = APIRouter(prefix="/projects/{project_id}")


@projects.get("")
def project(project_id: int, scope: Annotated[Scope, Depends()]) -> Project:
    return scope.project(project_id)


@projects.get("/tasks")
def tasks(project_id: int, scope: Annotated[Scope, Depends()]) -> list[Task]:
    p = scope.project(project_id)
    return scope.s.exec(select(Task).where(Task.project_id == p.id)).all()


@projects.post("/tasks", status_code=201)
def add_task(project_id: int, new: TaskIn, scope: Annotated[Scope, Depends()]) -> Task:
    p = scope.project(project_id)
    t = Task(project_id=p.id, **new.model_dump())
    scope.s.add(t)
    scope.s.commit()
    return t


@app.patch("/tasks/{task_id}")
def change_task(task_id: int, new: TaskIn, scope: Annotated[Scope, Depends()]) -> Task:
    t = scope.task(task_id)
    t.sqlmodel_update(new.model_dump(exclude_unset=True))
    scope.s.commit()
    return t


@app.delete("/tasks/{task_id}", status_code=204)
def drop_task(task_id: int, scope: Annotated[Scope, Depends()]):
    scope.s.delete(scope.task(task_id))
    scope.s.commit()


posts = APIRouter(prefix="/posts")


@posts.get("")
def feed(
    s: DB, q: str = Query("", max_length=30), sort: str = "id", limit: int = Query(10, ge=1, le=50)
) -> list[Post]:
    columns = {"id": Post.id, "likes": Post.likes}
    return s.exec(
        select(Post).where(col(Post.text).contains(q)).order_by(columns.get(sort, Post.id)).limit(limit)
    ).all()


@posts.get("/top")
def top(s: DB, n: int = 10):
    n = min(n, 50)
    rows = s.execute(text("SELECT id, text FROM post ORDER BY likes DESC LIMIT :n"), {"n": n})
    return [dict(r._mapping) for r in rows]


@posts.get("/{post_id}")
def post(post_id: int, s: DB) -> Post:
    p = s.get(Post, post_id)
    if p is None:
        raise HTTPException(404)
    return p


@posts.post("", status_code=201)
def write(new: PostIn, me: Me, s: DB) -> Post:
    p = Post.model_validate(new, update={"author_id": me.id})
    s.add(p)
    s.commit()
    return p


@posts.put("/{post_id}")
def edit(post_id: int, new: PostIn, me: Me, s: DB) -> Post:
    p = s.get(Post, post_id)
    if p is None:
        raise HTTPException(404)
    if p.author_id != me.id and me.role != Role.admin:
        raise HTTPException(403)
    p.text = new.text
    s.commit()
    return p


@posts.post("/{post_id}/like", status_code=204)
def like(post_id: int, me: Me, s: DB):
    s.execute(text("UPDATE post SET likes = likes + 1 WHERE id = :id"), {"id": post_id})
    s.commit()


admin = APIRouter(prefix="/admin", dependencies=[Depends(RoleChecker(Role.admin))])


@admin.get("/accounts", response_model=list[AccountOut])
def accounts(s: DB, page: int = Query(1, ge=1), size: int = Query(50, le=500)):
    return s.exec(select(Account).offset((page - 1) * size).limit(size)).all()


@admin.patch("/accounts/{account_id}/role", response_model=AccountOut)
def set_role(account_id: uuid.UUID, role: Annotated[Role, Body(embed=True)], s: DB):
    found = s.get(Account, account_id)
    if not found:
        raise HTTPException(404)
    found.role = role
    s.commit()
    return found


@admin.delete("/accounts/{account_id}", status_code=204)
def remove(account_id: uuid.UUID, s: DB):
    found = s.get(Account, account_id)
    if found:
        s.delete(found)
        s.commit()


files = APIRouter(prefix="/files")
FOLDER = Path("/srv/files")


@files.post("", status_code=201)
async def upload(me: Me, file: UploadFile = File()):
    suffix = Path(file.filename or "").suffix.lower()
    if suffix not in {".png", ".jpg"}:
        raise HTTPException(415)
    size, name = 0, f"{uuid.uuid4().hex}{suffix}"
    with open(FOLDER / name, "wb") as out:
        while chunk := await file.read(65536):
            size += len(chunk)
            if size > 5_000_000:
                raise HTTPException(413)
            out.write(chunk)
    return {"name": name}


@files.get("/{name}")
def get_file(name: str, me: Me):
    path = (FOLDER / name).resolve()
    if not path.is_relative_to(FOLDER):
        raise HTTPException(404)
    return FileResponse(path)


hooks = APIRouter(prefix="/webhooks")


def verify(raw: bytes, signature: str) -> None:
    wanted = hmac.new(KEY.encode(), raw, "sha256").hexdigest()
    if not secrets.compare_digest(wanted, signature):
        raise HTTPException(400, "bad signature")


@hooks.post("/pay", status_code=204)
async def pay(request: Request, s: DB, stripe_signature: Annotated[str, Header()]):
    raw = await request.body()
    verify(raw, stripe_signature)
    s.execute(text("UPDATE message SET read = true WHERE id = :id"), {"id": 1})


@app.post("/contact", status_code=202)
def contact(later: BackgroundTasks, email: EmailStr = Body(), words: str = Body(max_length=500)):
    later.add_task(log.info, "contact from %s", email)
    return {}


@app.get("/go")
def go(next: str = "/"):
    if not re.fullmatch(r"/[a-z/]*", next):
        next = "/"
    return RedirectResponse(next)


@app.get("/health", include_in_schema=False)
def health():
    return {"ok": True}


for r in (auth, messages, projects, posts, admin, files, hooks):
    app.include_router(r)
