"""A clinic's records: everything in memory, async, JSON logins, UUIDs, pages. It is careless where it says so."""

import base64
import datetime
import hashlib
import hmac
import json
import secrets
import uuid
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Path, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.responses import JSONResponse, PlainTextResponse
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

KEY = secrets.token_bytes(32)
accounts: dict[str, dict[str, Any]] = {}
records: dict[str, dict[str, Any]] = {}
notes: dict[str, dict[str, Any]] = {}
messages: dict[str, dict[str, Any]] = {}
DOCTORS = [{"id": 1, "name": "Dr. Ahn", "bio": "Hearts"}, {"id": 2, "name": "Dr. Bo", "bio": "Bones"}]
ROOMS = {"A1": {"code": "A1", "beds": 2}, "B2": {"code": "B2", "beds": 4}}
GUIDES = {"washing-hands": {"slug": "washing-hands", "text": "Use soap."}}


def part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def sign(text: str) -> str:
    mac = hmac.new(KEY, text.encode(), "sha256").digest()
    return base64.urlsafe_b64encode(mac).decode().rstrip("=")


def issue(account: dict[str, Any]) -> str:
    # Careless: a token never ends.
    head = f"{part({'alg': 'HS256', 'typ': 'JWT'})}.{part({'sub': account['id']})}"
    return f"{head}.{sign(head)}"


def claims(token: str) -> dict[str, Any]:
    middle = token.split(".")[1]
    return json.loads(base64.urlsafe_b64decode(middle + "=" * (-len(middle) % 4)))


bearer = HTTPBearer(auto_error=False)
Credentials = Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]
refused = HTTPException(401, "Log in first", {"WWW-Authenticate": "Bearer"})


async def caller(credentials: Credentials) -> dict[str, Any]:
    if credentials is None or credentials.credentials.count(".") != 2:
        raise refused
    head, _, signature = credentials.credentials.rpartition(".")
    if not hmac.compare_digest(signature.encode(), sign(head).encode()):
        raise refused
    account = accounts.get(claims(credentials.credentials).get("sub", ""))
    if account is None:
        raise refused
    return account


async def trusting(credentials: Credentials) -> dict[str, Any]:
    # Careless: nobody looks at the signature.
    try:
        return accounts[claims(credentials.credentials if credentials else "")["sub"]]
    except (IndexError, KeyError, ValueError):
        raise refused from None


Caller = Annotated[dict[str, Any], Depends(caller)]


async def administrator(account: Caller) -> dict[str, Any]:
    if account["role"] != "admin":
        raise HTTPException(403, "For administrators")
    return account


app = FastAPI(title="Clinic")
# Careless: any origin, with credentials.
app.add_middleware(CORSMiddleware, allow_origin_regex=".*", allow_credentials=True)
api = APIRouter(prefix="/api")


@app.exception_handler(ValueError)
async def failed(request: Request, error: ValueError) -> JSONResponse:
    # Careless: the client is told which exception it was.
    return JSONResponse({"error": repr(error)}, 500)


Email = Annotated[str, Field(pattern=r"^[^@\s]+@[a-z0-9.-]+\.[a-z]+$", max_length=100)]


class Registration(BaseModel):
    email: Email
    password: str = Field(min_length=10, max_length=64)
    full_name: str = Field(min_length=1, max_length=80)
    phone: str = Field("", pattern=r"^(\+\d{6,15})?$")


class Login(BaseModel):
    email: Email
    password: str


class Account(BaseModel):
    id: uuid.UUID
    email: str
    full_name: str
    phone: str
    role: str


def digest(password: str, salt: str) -> str:
    return hashlib.sha256((salt + password).encode()).hexdigest()


@api.post("/auth/register", status_code=201)
async def register(new: Registration) -> Account:
    if any(account["email"] == new.email for account in accounts.values()):
        raise HTTPException(409, "There is an account with this address")
    salt = secrets.token_hex(8)
    account = {"id": str(uuid.uuid4()), "role": "patient", "salt": salt, "digest": digest(new.password, salt)}
    account |= new.model_dump(exclude={"password"})
    accounts[account["id"]] = account
    return Account(**account)


@api.post("/auth/login")
async def login(given: Login, response: Response) -> dict[str, str]:
    # Careless: as many guesses as anyone likes; and the answer tells which addresses have accounts.
    account = next((account for account in accounts.values() if account["email"] == given.email), None)
    if account is None:
        raise HTTPException(404, "No account has this address")
    if digest(given.password, account["salt"]) != account["digest"]:
        raise HTTPException(401, "Wrong password")
    token = issue(account)
    # Careless: scripts can read it.
    response.set_cookie("session_token", token, samesite="lax")
    return {"token": token}


@api.get("/me")
async def me(account: Caller) -> Account:
    return Account(**account)


class Changes(BaseModel):
    # Careless: everything else is kept, too.
    model_config = ConfigDict(extra="allow")
    full_name: str | None = None


@api.put("/me")
async def change_me(changes: Changes, account: Caller) -> Account:
    account |= changes.model_dump(exclude_none=True, exclude={"id", "email"})
    return Account(**account)


@api.delete("/me", status_code=204)
async def close(account: Caller) -> None:
    del accounts[account["id"]]


@api.get("/me/summary")
async def summary(account: Annotated[dict[str, Any], Depends(trusting)]) -> dict[str, int]:
    return {"records": sum(record["owner_id"] == account["id"] for record in records.values())}


@api.get("/accounts/{account_id}")
async def account_by_id(account_id: uuid.UUID, account: Caller) -> Account:
    # Careless: any patient reads the address and the phone number of any other.
    if str(account_id) not in accounts:
        raise HTTPException(404, "No such account")
    return Account(**accounts[str(account_id)])


class NewRecord(BaseModel):
    title: str = Field(min_length=3, max_length=60)
    kind: str = Field("visit", pattern="^(visit|lab|image)$")
    taken_on: datetime.date


class Record(NewRecord):
    id: uuid.UUID
    owner_id: uuid.UUID


class Page(BaseModel):
    items: list[Record]
    total: int


@api.get("/records")
async def my_records(
    account: Caller, limit: Annotated[int, Query(ge=1, le=50)] = 20, offset: Annotated[int, Query(ge=0, le=10000)] = 0
) -> Page:
    own = [record for record in records.values() if record["owner_id"] == account["id"]]
    return Page(items=[Record(**record) for record in own[offset : offset + limit]], total=len(own))


@api.post("/records", status_code=201)
async def create_record(new: NewRecord, account: Caller) -> Record:
    record = {"id": str(uuid.uuid4()), "owner_id": account["id"]} | new.model_dump()
    records[record["id"]] = record
    return Record(**record)


def record_of(record_id: uuid.UUID) -> dict[str, Any]:
    if str(record_id) not in records:
        raise HTTPException(404, "No such record")
    return records[str(record_id)]


AnyRecord = Annotated[dict[str, Any], Depends(record_of)]


@api.get("/records/{record_id}")
async def record(record: AnyRecord, account: Caller) -> Record:
    # Careless: nobody asks whose it is.
    return Record(**record)


@api.patch("/records/{record_id}")
async def change_record(record: AnyRecord, new: NewRecord, account: Caller) -> Record:
    if record["owner_id"] != account["id"]:
        raise HTTPException(404, "No such record")
    record |= new.model_dump()
    return Record(**record)


@api.delete("/records/{record_id}", status_code=204)
async def remove_record(record: AnyRecord, account: Caller) -> None:
    # Careless: nobody asks whose it is.
    del records[record["id"]]


class NewNote(BaseModel):
    text: str = Field(max_length=500)


@api.post("/records/{record_id}/notes", status_code=201)
async def create_note(record: AnyRecord, new: NewNote, account: Caller) -> dict[str, Any]:
    if record["owner_id"] != account["id"]:
        raise HTTPException(404, "No such record")
    note = {"id": str(uuid.uuid4()), "record_id": record["id"], "text": new.text}
    notes[note["id"]] = note
    return note


@api.get("/records/{record_id}/notes")
async def notes_of(record: AnyRecord, account: Caller) -> list[dict[str, Any]]:
    # Careless: nobody asks whose it is.
    return [note for note in notes.values() if note["record_id"] == record["id"]]


@api.delete("/records/{record_id}/notes/{note_id}", status_code=204)
async def remove_note(record_id: uuid.UUID, note_id: uuid.UUID, account: Caller) -> None:
    note = notes.get(str(note_id))
    owner = records.get(note["record_id"], {}).get("owner_id") if note else None
    if note is None or owner not in (account["id"], None):
        raise HTTPException(404, "No such note")
    del notes[note["id"]]


@api.get("/export/{record_id}", response_class=PlainTextResponse)
async def export(record: AnyRecord, account: Caller) -> str:
    # Careless: nobody asks whose it is.
    return f"title,kind\n{record['title']},{record['kind']}\n"


@api.get("/reports")
async def reports(account: Caller, owner_id: uuid.UUID | None = None) -> list[dict[str, Any]]:
    # Careless: whoever knows an id reads the reports of that patient.
    owner = str(owner_id) if owner_id else account["id"]
    own = (record for record in records.values() if record["owner_id"] == owner)
    return [{"title": record["title"], "words": len(record["title"])} for record in own]


class NewMessage(BaseModel):
    model_config = ConfigDict(extra="forbid")
    subject: str = Field(max_length=80)
    body: str = Field(max_length=2000)


@api.post("/messages", status_code=201)
async def send(new: NewMessage, account: Caller) -> dict[str, Any]:
    message = {"id": str(uuid.uuid4()), "sender": account["id"], "read": False} | new.model_dump()
    messages[message["id"]] = message
    return message


@api.get("/messages")
async def my_messages(account: Caller) -> list[dict[str, Any]]:
    return [message for message in messages.values() if message["sender"] == account["id"]]


def own_message(message_id: uuid.UUID, account: Caller) -> dict[str, Any]:
    message = messages.get(str(message_id))
    if message is None or message["sender"] != account["id"]:
        raise HTTPException(404, "No such message")
    return message


OwnMessage = Annotated[dict[str, Any], Depends(own_message)]


@api.get("/messages/{message_id}")
async def message(message: OwnMessage) -> dict[str, Any]:
    return message


@api.delete("/messages/{message_id}", status_code=204)
async def remove_message(message: OwnMessage) -> None:
    del messages[message["id"]]


@api.get("/doctors")
async def doctors() -> list[dict[str, Any]]:
    return DOCTORS


@api.get("/doctors/{doctor_id}")
async def doctor(doctor_id: Annotated[int, Path(ge=1, le=1000)]) -> dict[str, Any]:
    found = [doctor for doctor in DOCTORS if doctor["id"] == doctor_id]
    if not found:
        raise HTTPException(404, "No such doctor")
    return found[0]


@api.get("/rooms")
async def rooms(account: Caller) -> list[dict[str, Any]]:
    return list(ROOMS.values())


@api.get("/rooms/{code}")
async def room(code: str, account: Caller) -> dict[str, Any]:
    # For all who are logged in. What is not there is said with 200.
    return ROOMS.get(code, {"error": "No such room"})


@api.get("/guides/{slug}")
async def guide(slug: str, account: Caller) -> dict[str, Any]:
    if slug not in GUIDES:
        raise HTTPException(404, "No such guide")
    return GUIDES[slug]


@api.get("/stats")
async def stats(account: Caller, year: int = 2030) -> dict[str, str]:
    return {"from": datetime.date(year, 1, 1).isoformat()}


@api.get("/admin/accounts")
async def all_accounts(account: Caller) -> list[Account]:
    # Careless: nobody asks for the role.
    return [Account(**account) for account in accounts.values()]


@api.get("/admin/audit", dependencies=[Depends(administrator)])
async def audit() -> list[str]:
    return ["opened"]


app.include_router(api)
