"""What comes in and goes out."""

from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, HttpUrl


class SignOn(BaseModel):
    mail: str
    password: str


class Recruit(BaseModel):
    mail: str = Field(max_length=200)
    password: str = Field(min_length=8, max_length=100)
    company_id: int
    dispatcher: bool = False


class EmployeeOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    mail: str
    company_id: int


class EmployeeFull(EmployeeOut):
    password: str


class ProfileIn(BaseModel):
    mail: str | None = None
    dispatcher: bool | None = None


class VanIn(BaseModel):
    plate: str = Field(max_length=12, pattern="^[A-Z0-9-]+$")
    seats: int = Field(ge=1, le=9)


class VanOut(VanIn):
    model_config = ConfigDict(from_attributes=True)
    id: int


class TripIn(BaseModel):
    van_id: int
    destination: str = Field(max_length=200)
    begun: datetime


class TripOut(TripIn):
    model_config = ConfigDict(from_attributes=True)
    id: int
    driver_id: int
    kilometres: int


class ExpenseIn(BaseModel):
    cents: int = Field(gt=0)
    reason: str


class ExpenseForAnyone(ExpenseIn):
    claimant_id: int


class ExpenseOut(ExpenseIn):
    model_config = ConfigDict(from_attributes=True)
    id: int
    claimant_id: int
    approved: bool


class PaperOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    sender_id: int


class HookIn(BaseModel):
    target: HttpUrl
    event: str = Field(max_length=40)


class HookOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)
    id: int
    target: str
    event: str


class CompanyIn(BaseModel):
    title: str = Field(max_length=120)


class CompanyOut(CompanyIn):
    model_config = ConfigDict(from_attributes=True)
    id: int
    plan: str
