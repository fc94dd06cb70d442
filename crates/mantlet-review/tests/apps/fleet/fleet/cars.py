"""Vans and trips."""

from fastapi import APIRouter, Depends, HTTPException, Query
from sqlalchemy import func, select, text

from fleet.forms import TripIn, TripOut, VanIn, VanOut
from fleet.guards import dispatcher, identified
from fleet.tables import Employee, Session, Trip, Van, opened

vans = APIRouter(prefix="/vans", tags=["vans"])
trips = APIRouter(prefix="/trips", tags=["trips"])


@vans.get("", response_model=list[VanOut])
def all_vans(limit: int = 50, me: Employee = Depends(identified), session: Session = Depends(opened)):
    return session.scalars(select(Van).where(Van.company_id == me.company_id).limit(limit)).all()


@vans.get("/find", response_model=list[VanOut])
def find_vans(plate: str, me: Employee = Depends(identified), session: Session = Depends(opened)):
    rows = session.execute(text(f"SELECT * FROM vans WHERE plate LIKE '%{plate}%'"))
    return [row._mapping for row in rows]


@vans.get("/count")
def count_vans(me: Employee = Depends(identified), session: Session = Depends(opened)) -> dict[str, int]:
    return {"vans": session.scalar(select(func.count()).select_from(Van)) or 0}


@vans.post("", response_model=VanOut, status_code=201)
def buy(new: VanIn, me: Employee = Depends(dispatcher), session: Session = Depends(opened)):
    made = Van(**new.model_dump(), company_id=me.company_id)
    session.add(made)
    session.commit()
    return made


@vans.put("/{van_id}", response_model=VanOut)
def repaint(van_id: int, new: VanIn, me: Employee = Depends(dispatcher), session: Session = Depends(opened)):
    found = session.get(Van, van_id)
    if found is None or found.company_id != me.company_id:
        raise HTTPException(404, "no van")
    found.plate, found.seats = new.plate, new.seats
    session.commit()
    return found


@vans.delete("/{van_id}", status_code=204)
def scrap(van_id: int, session: Session = Depends(opened)):
    found = session.get(Van, van_id)
    if found is not None:
        session.delete(found)
        session.commit()


@trips.get("", response_model=list[TripOut])
def my_trips(
    size: int = Query(20, ge=1, le=100), me: Employee = Depends(identified), session: Session = Depends(opened)
):
    return session.scalars(select(Trip).where(Trip.driver_id == me.id).limit(size)).all()


@trips.post("", response_model=TripOut, status_code=201)
def begin(new: TripIn, me: Employee = Depends(identified), session: Session = Depends(opened)):
    made = Trip(van_id=new.van_id, destination=new.destination, begun=new.begun, driver_id=me.id)
    session.add(made)
    session.commit()
    return made


@trips.get("/sorted", response_model=list[TripOut])
def sorted_trips(
    by: str = "begun", me: Employee = Depends(identified), session: Session = Depends(opened)
):
    statement = "SELECT * FROM trips WHERE driver_id = :driver ORDER BY " + by
    return session.execute(text(statement), {"driver": me.id}).mappings().all()


@trips.get("/ordered", response_model=list[TripOut])
def ordered_trips(
    by: str = "begun", me: Employee = Depends(identified), session: Session = Depends(opened)
):
    if by not in ("begun", "kilometres"):
        raise HTTPException(422, "order?")
    statement = f"SELECT * FROM trips WHERE driver_id = :driver ORDER BY {by}"
    return session.execute(text(statement), {"driver": me.id}).mappings().all()


def trip_of(trip_id: int, session: Session = Depends(opened)) -> Trip:
    found = session.get(Trip, trip_id)
    if found is None:
        raise HTTPException(404, "no trip")
    return found


def own_trip(found: Trip = Depends(trip_of), me: Employee = Depends(identified)) -> Trip:
    if found.driver_id != me.id:
        raise HTTPException(404, "no trip")
    return found


@trips.get("/{trip_id}", response_model=TripOut)
def one_trip(found: Trip = Depends(trip_of), me: Employee = Depends(identified)):
    return found


@trips.patch("/{trip_id}/distance", response_model=TripOut)
def distance(kilometres: int, found: Trip = Depends(own_trip), session: Session = Depends(opened)):
    found.kilometres = kilometres
    session.commit()
    return found


@trips.delete("/{trip_id}", status_code=204)
def cancel(found: Trip = Depends(own_trip), session: Session = Depends(opened)):
    session.delete(found)
    session.commit()


@trips.post("/{trip_id}/end", response_model=TripOut)
def end(kilometres: int, found: Trip = Depends(trip_of), me: Employee = Depends(identified), session: Session = Depends(opened)):
    found.kilometres = kilometres
    session.commit()
    return found
