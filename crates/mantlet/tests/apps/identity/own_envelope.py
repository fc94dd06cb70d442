"""Invoices, for a front end that wants each failure in one shape."""

import os
from datetime import datetime, timedelta
from typing import Annotated

from fastapi import Depends, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from jose import ExpiredSignatureError, JWTError, jwt
from pydantic import BaseModel, Field
from starlette.exceptions import HTTPException

SECRET = os.getenv("JWT_SECRET_KEY", "super-secret")

app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="/api/auth/token")
people = {"ann": "battlement"}


class ApiError(Exception):
    def __init__(self, status: int, code: str, message: str):
        self.status, self.code, self.message = status, code, message


def envelope(status: int, code: str, message: str, **more) -> JSONResponse:
    return JSONResponse({"error": {"code": code, "message": message, **more}}, status)


@app.exception_handler(ApiError)
async def api_error(request: Request, exc: ApiError):
    return envelope(exc.status, exc.code, exc.message)


@app.exception_handler(HTTPException)
async def http_error(request: Request, exc: HTTPException):
    return envelope(exc.status_code, "http", str(exc.detail))


@app.exception_handler(RequestValidationError)
async def validation_error(request: Request, exc: RequestValidationError):
    fields = [".".join(map(str, error["loc"])) for error in exc.errors()]
    return envelope(422, "invalid", "The request is not valid", fields=fields)


class Invoice(BaseModel):
    to: str
    amount: int = Field(gt=0)


class Login(BaseModel):
    username: str
    password: str


def person(token: Annotated[str, Depends(oauth2_scheme)]) -> str:
    try:
        return jwt.decode(token, SECRET, algorithms=["HS256"], audience="invoices")["sub"]
    except ExpiredSignatureError:
        raise ApiError(401, "token_expired", "Please log in again")
    except (JWTError, KeyError):
        raise ApiError(401, "token_invalid", "Please log in")


Person = Annotated[str, Depends(person)]


def token_for(username: str, password: str) -> str:
    if people.get(username) != password:
        raise ApiError(401, "credentials", "Wrong name or password")
    claims = {"sub": username, "aud": "invoices", "iss": "https://invoices.example.com"}
    claims["exp"] = datetime.utcnow() + timedelta(hours=1)
    return jwt.encode(claims, SECRET)


@app.post("/api/auth/token")
def log_in_for_docs(form: Annotated[OAuth2PasswordRequestForm, Depends()]):
    return {"access_token": token_for(form.username, form.password), "token_type": "bearer"}


@app.post("/api/auth/login")
def log_in(login: Login):
    token = token_for(login.username, login.password)
    return {"data": {"user": login.username, "tokens": {"access": token}}}


@app.get("/api/invoices")
def invoices(user: Person):
    return {"data": [{"to": "Bob", "amount": 7}], "owner": user}


@app.post("/api/invoices", status_code=201)
def add_invoice(invoice: Invoice, user: Person):
    return {"data": invoice, "owner": user}


@app.get("/api/status")
def status():
    return {"data": "ok"}
