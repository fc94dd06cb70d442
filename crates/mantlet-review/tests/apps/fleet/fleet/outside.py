"""Hooks, and what others call."""

import subprocess
import traceback
import urllib.request

from fastapi import APIRouter, Depends, HTTPException, Request
from sqlalchemy import select

from fleet.forms import HookIn, HookOut
from fleet.guards import dispatcher, identified
from fleet.tables import Company, Employee, Hook, Session, Van, opened

hooks = APIRouter(prefix="/hooks", tags=["hooks"])
inbound = APIRouter(prefix="/inbound", tags=["inbound"])
back_office = APIRouter(prefix="/backoffice", tags=["backoffice"])
old = APIRouter(prefix="/v1", tags=["status"])
new = APIRouter(prefix="/v2", tags=["status"])


@hooks.get("", response_model=list[HookOut])
def my_hooks(me: Employee = Depends(identified), session: Session = Depends(opened)):
    return session.scalars(select(Hook).filter_by(made_by=me.id)).all()


@hooks.post("", response_model=HookOut, status_code=201)
def add_hook(given: HookIn, me: Employee = Depends(identified), session: Session = Depends(opened)):
    made = Hook(target=str(given.target), event=given.event, made_by=me.id)
    session.add(made)
    session.commit()
    return made


@hooks.post("/trial")
def try_hook(given: HookIn, me: Employee = Depends(identified)):
    target = str(given.target)
    with urllib.request.urlopen(target, timeout=5) as answer:
        return {"status": answer.status}


@hooks.delete("/{hook_id}", status_code=204)
def remove_hook(hook_id: int, me: Employee = Depends(identified), session: Session = Depends(opened)):
    found = session.scalars(select(Hook).where(Hook.id == hook_id, Hook.made_by == me.id)).first()
    if found is None:
        raise HTTPException(404, "no hook")
    session.delete(found)
    session.commit()


@inbound.post("/tachograph", status_code=204)
async def tachograph(request: Request, session: Session = Depends(opened)):
    told = await request.json()
    found = session.get(Van, told["van"])
    if found is not None:
        found.seats = told["seats"]
        session.commit()


@inbound.get("/ping")
def ping(host: str, me: Employee = Depends(dispatcher)):
    done = subprocess.run(f"ping -c 1 {host}", shell=True, capture_output=True, check=False)
    return {"code": done.returncode}


@inbound.get("/diagnosis")
def diagnosis(me: Employee = Depends(identified), session: Session = Depends(opened)):
    try:
        session.execute(select(Van)).first()
    except Exception as failure:
        return {"failure": str(failure), "trace": traceback.format_exc()}
    return {"failure": None}


@back_office.get("/companies")
def every_company(me: Employee = Depends(identified), session: Session = Depends(opened)):
    return [{"id": one.id, "title": one.title} for one in session.scalars(select(Company))]


@back_office.post("/reindex", status_code=204)
def reindex(me: Employee = Depends(identified)):
    return None


@old.get("/status")
def status_one():
    return {"up": True}


@new.get("/status")
def status_two():
    return {"up": True, "vans": True}


@old.get("/weather", deprecated=True)
def weather():
    return {"sun": True}


@new.get("/internal-figures", include_in_schema=False)
def figures(me: Employee = Depends(dispatcher)):
    return {"figures": 1}
