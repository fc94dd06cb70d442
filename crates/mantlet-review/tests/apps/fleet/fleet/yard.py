"""Trailers of a company, which its dispatchers look after."""

from fastapi import APIRouter, Depends, HTTPException
from pydantic import BaseModel, Field
from sqlalchemy import select

from fleet.guards import dispatcher, identified
from fleet.tables import Employee, Session, Trailer, opened

yard = APIRouter(prefix="/trailers", tags=["trailers"])


class TrailerIn(BaseModel):
    plate: str = Field(max_length=12)


def of_my_company(
    trailer_id: int, me: Employee = Depends(identified), session: Session = Depends(opened)
) -> Trailer:
    found = session.get(Trailer, trailer_id)
    if found is None or found.company_id != me.company_id:
        raise HTTPException(404, "no such trailer")
    return found


@yard.get("")
def trailers(me: Employee = Depends(identified), session: Session = Depends(opened)) -> list[str]:
    rows = session.scalars(select(Trailer).where(Trailer.company_id == me.company_id).limit(100))
    return [row.plate for row in rows]


@yard.post("", status_code=201)
def add(
    new: TrailerIn, me: Employee = Depends(dispatcher), session: Session = Depends(opened)
) -> dict[str, str]:
    session.add(Trailer(plate=new.plate, company_id=me.company_id))
    session.commit()
    return {"plate": new.plate}


@yard.put("/{trailer_id}/plate", dependencies=[Depends(dispatcher)])
def change(
    new: TrailerIn, found: Trailer = Depends(of_my_company), session: Session = Depends(opened)
) -> dict[str, str]:
    found.plate = new.plate
    session.commit()
    return {"plate": found.plate}


@yard.delete("/{trailer_id}", status_code=204)
def remove(found: Trailer = Depends(of_my_company), session: Session = Depends(opened)) -> None:
    session.delete(found)
    session.commit()
