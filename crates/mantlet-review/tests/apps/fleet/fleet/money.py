"""What employees have paid, and what they have sent."""

import shutil
from pathlib import Path

from fastapi import APIRouter, BackgroundTasks, Depends, File, HTTPException, UploadFile
from fastapi.responses import FileResponse, RedirectResponse
from sqlalchemy import select, update

from fleet.forms import ExpenseForAnyone, ExpenseIn, ExpenseOut, PaperOut
from fleet.guards import dispatcher, identified
from fleet.tables import Employee, Expense, Paper, Session, opened

expenses = APIRouter(prefix="/expenses", tags=["money"])
papers = APIRouter(prefix="/papers", tags=["papers"])
FOLDER = Path("/tmp/papers")


class Claims:
    """All that is done with expenses."""

    def __init__(self, session: Session = Depends(opened)) -> None:
        self.session = session

    def of(self, employee: Employee):
        return self.session.scalars(select(Expense).where(Expense.claimant_id == employee.id)).all()

    def one(self, number: int) -> Expense:
        found = self.session.get(Expense, number)
        if found is None:
            raise HTTPException(404, "no expense")
        return found

    def make(self, new: ExpenseIn, claimant_id: int) -> Expense:
        made = Expense(cents=new.cents, reason=new.reason, claimant_id=claimant_id)
        self.session.add(made)
        self.session.commit()
        return made

    def approve(self, number: int) -> None:
        self.session.execute(update(Expense).where(Expense.id == number).values(approved=True))
        self.session.commit()


@expenses.get("", response_model=list[ExpenseOut])
def my_expenses(claims: Claims = Depends(), me: Employee = Depends(identified)):
    return claims.of(me)


@expenses.post("", response_model=ExpenseOut, status_code=201)
def claim(new: ExpenseIn, claims: Claims = Depends(), me: Employee = Depends(identified)):
    return claims.make(new, me.id)


@expenses.post("/for", response_model=ExpenseOut, status_code=201)
def claim_for(new: ExpenseForAnyone, claims: Claims = Depends(), me: Employee = Depends(identified)):
    return claims.make(new, new.claimant_id)


@expenses.get("/{number}", response_model=ExpenseOut)
def expense(number: int, claims: Claims = Depends(), me: Employee = Depends(identified)):
    return claims.one(number)


@expenses.put("/{number}", response_model=ExpenseOut)
def correct(number: int, new: ExpenseIn, claims: Claims = Depends(), me: Employee = Depends(identified)):
    found = claims.one(number)
    if found.claimant_id != me.id:
        raise HTTPException(404, "no expense")
    found.cents, found.reason = new.cents, new.reason
    claims.session.commit()
    return found


@expenses.post("/{number}/approval", status_code=204)
def approve(number: int, claims: Claims = Depends(), me: Employee = Depends(dispatcher)):
    claims.approve(number)


@expenses.delete("/{number}", status_code=204)
def withdraw(number: int, claims: Claims = Depends(), me: Employee = Depends(identified)):
    found = claims.one(number)
    claims.session.delete(found)
    claims.session.commit()


@papers.get("", response_model=list[PaperOut])
def my_papers(me: Employee = Depends(identified), session: Session = Depends(opened)):
    return session.query(Paper).filter(Paper.sender_id == me.id).all()


@papers.post("", response_model=PaperOut, status_code=201)
def send(sheet: UploadFile, me: Employee = Depends(identified), session: Session = Depends(opened)):
    place = f"/tmp/papers/{sheet.filename}"
    with open(place, "wb") as kept:
        shutil.copyfileobj(sheet.file, kept)
    made = Paper(sender_id=me.id, stored_as=place)
    session.add(made)
    session.commit()
    return made


@papers.post("/small", response_model=PaperOut, status_code=201)
async def send_small(
    sheet: UploadFile = File(), me: Employee = Depends(identified), session: Session = Depends(opened)
):
    content = await sheet.read()
    if len(content) > 1_000_000:
        raise HTTPException(413, "too large")
    place = FOLDER / f"{me.id}.pdf"
    place.write_bytes(content)
    made = Paper(sender_id=me.id, stored_as=str(place))
    session.add(made)
    session.commit()
    return made


@papers.get("/{paper_id}/content")
def content(paper_id: int, me: Employee = Depends(identified), session: Session = Depends(opened)):
    found = session.query(Paper).filter(Paper.id == paper_id).one_or_none()
    if found is None:
        raise HTTPException(404, "no paper")
    return FileResponse(found.stored_as)


@papers.delete("/{paper_id}", status_code=204)
def shred(
    paper_id: int, later: BackgroundTasks, me: Employee = Depends(identified), session: Session = Depends(opened)
):
    found = session.query(Paper).filter(Paper.id == paper_id, Paper.sender_id == me.id).one_or_none()
    if found is None:
        raise HTTPException(404, "no paper")
    later.add_task(Path(found.stored_as).unlink)
    session.delete(found)
    session.commit()


@papers.get("/help")
def help_page(back: str = "/", me: Employee = Depends(identified)):
    return RedirectResponse(back)
