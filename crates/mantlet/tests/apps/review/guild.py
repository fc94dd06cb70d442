"""A guild's tasks and teams: cookies instead of tokens, numbers as keys, bodies in an envelope, roles of its own. It is
careless where it says so.
"""

import secrets
from dataclasses import asdict, dataclass, field
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Cookie, Depends, FastAPI, HTTPException, Response
from fastapi.security import APIKeyCookie
from pydantic import BaseModel, Field


@dataclass
class Person:
    key: int
    name: str
    email: str
    password: str
    rank: Literal["novice", "master"] = "novice"
    is_staff: bool = False
    coins: int = 0


@dataclass
class Task:
    key: int
    holder: int
    title: str
    state: str = "open"
    reward: int = 10
    remarks: list[str] = field(default_factory=list)


people: dict[int, Person] = {}
tasks: dict[int, Task] = {}
teams: dict[int, dict[str, Any]] = {}
sessions: dict[str, int] = {}
numbers = iter(range(1, 1_000_000_000))

cookie = APIKeyCookie(name="guild_sid", auto_error=False)


def who(sid: Annotated[str | None, Depends(cookie)]) -> Person:
    person = people.get(sessions.get(sid or "", 0))
    if person is None:
        raise HTTPException(401, "Sign in first")
    return person


Caller = Annotated[Person, Depends(who)]


def staff(person: Caller) -> Person:
    if not person.is_staff:
        raise HTTPException(403, "Staff only")
    return person


app = FastAPI(title="Guild", openapi_url=None)
people_router = APIRouter(prefix="/v2/people", tags=["people"])
task_router = APIRouter(prefix="/v2/tasks", tags=["tasks"])


class Newcomer(BaseModel):
    username: str = Field(min_length=4, max_length=24)
    email: str
    password: str = Field(min_length=8, max_length=40)


class SignUp(BaseModel):
    user: Newcomer


class Known(BaseModel):
    email: str
    password: str


class SignIn(BaseModel):
    user: Known


def shown(person: Person) -> dict[str, Any]:
    return {key: value for key, value in asdict(person).items() if key != "password"}


@people_router.post("/signup", status_code=201)
def sign_up(new: SignUp) -> dict[str, Any]:
    if any(person.email == new.user.email for person in people.values()):
        raise HTTPException(409, "Known already")
    person = Person(next(numbers), new.user.username, new.user.email, new.user.password)
    people[person.key] = person
    return {"user": shown(person)}


@people_router.post("/signin")
def sign_in(given: SignIn, response: Response) -> dict[str, Any]:
    for person in people.values():
        if person.email == given.user.email and secrets.compare_digest(person.password, given.user.password):
            sid = secrets.token_urlsafe(24)
            sessions[sid] = person.key
            response.set_cookie("guild_sid", sid, httponly=True, samesite="lax")
            return {"user": shown(person)}
    # Careless: as many guesses as anyone likes.
    raise HTTPException(401, "Wrong address or password")


@people_router.post("/signout", status_code=204)
def sign_out(sid: Annotated[str | None, Cookie(alias="guild_sid")] = None) -> None:
    sessions.pop(sid or "", None)


@people_router.get("/me")
def me(person: Caller) -> dict[str, Any]:
    return shown(person)


@people_router.delete("/me", status_code=204)
def leave(person: Caller) -> None:
    people.pop(person.key, None)


class Change(BaseModel):
    name: str = Field(max_length=24)


@people_router.patch("/{person_id}")
def change(person_id: int, new: Change, person: Caller) -> dict[str, Any]:
    # Careless: anybody renames anybody.
    if person_id not in people:
        raise HTTPException(404, "No such person")
    people[person_id].name = new.name
    return shown(people[person_id])


class Rank(BaseModel):
    rank: Literal["novice", "master"]


@people_router.put("/{person_id}/role")
def set_rank(person_id: int, new: Rank, person: Caller) -> dict[str, Any]:
    # Careless: anybody makes anybody a master.
    if person_id not in people:
        raise HTTPException(404, "No such person")
    people[person_id].rank = new.rank
    return shown(people[person_id])


@people_router.delete("/{person_id}", status_code=204, dependencies=[Depends(staff)])
def remove(person_id: int) -> None:
    if people.pop(person_id, None) is None:
        raise HTTPException(404, "No such person")


class NewTask(BaseModel):
    title: str = Field(min_length=1, max_length=80)


class ChangedTask(BaseModel):
    model_config = {"extra": "allow"}
    title: str | None = Field(None, max_length=80)


def own(task_id: int, person: Caller) -> Task:
    task = tasks.get(task_id)
    if task is None or task.holder != person.key:
        raise HTTPException(404, "No such task")
    return task


Own = Annotated[Task, Depends(own)]


@task_router.get("/")
def my_tasks(person: Caller) -> dict[str, Any]:
    return {"tasks": [asdict(task) for task in tasks.values() if task.holder == person.key]}


@task_router.post("/", status_code=201)
def add(new: NewTask, person: Caller) -> dict[str, Any]:
    task = Task(next(numbers), person.key, new.title)
    tasks[task.key] = task
    return {"task": asdict(task)}


@task_router.get("/{task_id}")
def task(task: Own) -> dict[str, Any]:
    return asdict(task)


@task_router.patch("/{task_id}")
def change_task(task: Own, changes: ChangedTask) -> dict[str, Any]:
    # Careless: everything in the body is taken over.
    for name, value in changes.model_dump(exclude_unset=True).items():
        if name not in ("key", "holder"):
            setattr(task, name, value)
    return asdict(task)


@task_router.post("/{task_id}/finish")
def finish(task_id: int, person: Caller) -> dict[str, Any]:
    # Careless: anybody finishes the task of anybody.
    if task_id not in tasks:
        raise HTTPException(404, "No such task")
    tasks[task_id].state = "done"
    return asdict(tasks[task_id])


@task_router.delete("/{task_id}", status_code=204)
def drop(task: Own) -> None:
    tasks.pop(task.key, None)


@app.get("/v2/staff/tasks")
def every_task(person: Caller) -> list[dict[str, Any]]:
    # Careless: nobody asks whether they are of the staff.
    return [asdict(task) | {"email": people[task.holder].email} for task in tasks.values() if task.holder in people]


@app.get("/v2/staff/people", dependencies=[Depends(staff)])
def everybody() -> list[dict[str, Any]]:
    return [shown(person) for person in people.values()]


app.include_router(people_router)
app.include_router(task_router)
