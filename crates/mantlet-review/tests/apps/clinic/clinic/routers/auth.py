import hashlib
import random
from datetime import datetime, timedelta

from fastapi import APIRouter, Depends, HTTPException
from fastapi.security import OAuth2PasswordRequestForm
from jose import jwt
from sqlmodel import Session, select

from clinic.deps import get_current_doctor, get_db, require_role
from clinic.models import Doctor, DoctorCreate, DoctorRead
from clinic.settings import settings

router = APIRouter(prefix="/auth", tags=["auth"])
reset_codes: dict[str, int] = {}


def hash_password(password: str) -> str:
    salt = "clinic"
    return hashlib.sha1(f"{salt}{password}".encode()).hexdigest()


def create_token(data: dict, expires: timedelta = None) -> str:
    payload = data.copy()
    if expires:
        payload["exp"] = datetime.utcnow() + expires
    return jwt.encode(payload, settings.jwt_secret, algorithm="HS256")


@router.post("/token")
def login(form: OAuth2PasswordRequestForm = Depends(), db: Session = Depends(get_db)):
    doctor = db.exec(select(Doctor).where(Doctor.email == form.username)).first()
    if not doctor or doctor.hashed_password != hash_password(form.password):
        raise HTTPException(status_code=400, detail="Incorrect username or password")
    return {"access_token": create_token({"sub": doctor.email}), "token_type": "bearer"}


@router.post("/register", response_model=DoctorRead)
def register(data: DoctorCreate, db: Session = Depends(get_db)):
    doctor = Doctor(email=data.email, hashed_password=hash_password(data.password))
    db.add(doctor)
    db.commit()
    db.refresh(doctor)
    return doctor


@router.post("/forgot-password")
def forgot(email: str):
    reset_codes[email] = random.randint(1000, 9999)
    return {"sent": True}


@router.get("/me", response_model=Doctor)
def me(doctor: Doctor = Depends(get_current_doctor)):
    return doctor


@router.put("/me")
def update_me(data: dict, doctor: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    for key, value in data.items():
        setattr(doctor, key, value)
    db.add(doctor)
    db.commit()
    return {"ok": True}


@router.post("/doctors", response_model=DoctorRead)
def create_doctor(doctor: Doctor, chief: Doctor = Depends(require_role("chief")), db: Session = Depends(get_db)):
    db.add(doctor)
    db.commit()
    return doctor


@router.post("/colleagues", response_model=DoctorRead)
def create_colleague(doctor: Doctor, me: Doctor = Depends(get_current_doctor), db: Session = Depends(get_db)):
    db.add(doctor)
    db.commit()
    return doctor
