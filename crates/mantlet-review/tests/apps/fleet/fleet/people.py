"""Employees: signing on, signing up, profiles."""

from fastapi import APIRouter, Depends, HTTPException, Response
from sqlalchemy import select

from fleet import keys
from fleet.forms import EmployeeFull, EmployeeOut, ProfileIn, Recruit, SignOn
from fleet.guards import dispatcher, identified
from fleet.tables import Company, Employee, Session, opened

gate = APIRouter(prefix="/door", tags=["door"])
people = APIRouter(prefix="/employees", tags=["employees"])


@gate.post("/sign-on")
def sign_on(given: SignOn, answer: Response, session: Session = Depends(opened)):
    found = session.scalars(select(Employee).where(Employee.mail == given.mail)).first()
    if found is None or found.passphrase_hash != keys.digest(given.password):
        raise HTTPException(401, "no")
    token = keys.badge(found.id)
    answer.set_cookie("badge", token, max_age=7_776_000)
    return {"access_token": token, "token_type": "bearer"}


@gate.post("/register", status_code=201, response_model=EmployeeOut)
def register(new: Recruit, session: Session = Depends(opened)):
    made = Employee(**new.model_dump())
    made.passphrase_hash = keys.digest(new.password)
    session.add(made)
    session.commit()
    return made


@gate.get("/invitation/{company_id}")
def invitation(company_id: int, me: Employee = Depends(dispatcher)):
    if me.company_id != company_id:
        raise HTTPException(403, "another company")
    return {"link": keys.invitation(company_id)}


@people.get("/me", response_model=EmployeeOut)
def myself(me: Employee = Depends(identified)):
    return me


@people.get("/me/raw")
def myself_raw(me: Employee = Depends(identified)):
    return me


@people.patch("/me", response_model=EmployeeOut)
def change_myself(change: ProfileIn, me: Employee = Depends(identified), session: Session = Depends(opened)):
    for name, value in change.model_dump(exclude_unset=True).items():
        setattr(me, name, value)
    session.commit()
    return me


@people.get("", response_model=list[EmployeeOut])
def colleagues(me: Employee = Depends(identified), session: Session = Depends(opened)):
    return session.scalars(select(Employee).where(Employee.company_id == me.company_id)).all()


@people.get("/{employee_id}", response_model=EmployeeFull)
def colleague(employee_id: int, me: Employee = Depends(identified), session: Session = Depends(opened)):
    found = session.get(Employee, employee_id)
    if found is None or found.company_id != me.company_id:
        raise HTTPException(404, "nobody")
    return found


@people.post("/{employee_id}/promotion", response_model=EmployeeOut)
def promote(employee_id: int, me: Employee = Depends(dispatcher), session: Session = Depends(opened)):
    found = session.get(Employee, employee_id)
    if found is None or found.company_id != me.company_id:
        raise HTTPException(404, "nobody")
    found.dispatcher = True
    session.commit()
    return found


@people.delete("/{employee_id}", status_code=204)
def dismiss(employee_id: int, me: Employee = Depends(identified), session: Session = Depends(opened)):
    found = session.get(Employee, employee_id)
    if found is None:
        raise HTTPException(404, "nobody")
    session.delete(found)
    session.commit()


companies = APIRouter(prefix="/companies", tags=["companies"])


@companies.get("/mine")
def my_company(me: Employee = Depends(identified), session: Session = Depends(opened)):
    return session.get(Company, me.company_id)
