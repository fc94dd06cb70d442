from datetime import date
from typing import Optional

from sqlmodel import Field, SQLModel, create_engine


class Doctor(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    email: str
    hashed_password: str
    role: str = "doctor"
    clinic_id: Optional[int] = None


class Patient(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    doctor_id: Optional[int] = Field(default=None, foreign_key="doctor.id")
    name: str
    born: date
    notes: str = ""


class Prescription(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    drug: str
    amount: int


class Report(SQLModel, table=True):
    id: Optional[int] = Field(default=None, primary_key=True)
    patient_id: int = Field(foreign_key="patient.id")
    filename: str


class DoctorCreate(SQLModel):
    email: str
    password: str


class DoctorRead(SQLModel):
    id: int
    email: str
    role: str


class PatientRead(SQLModel):
    id: int
    name: str
    born: date


engine = create_engine("sqlite://", connect_args={"check_same_thread": False})
