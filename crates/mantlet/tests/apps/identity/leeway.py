"""Meters that report by radio. Their clocks are poor: a token is good for an hour past its end."""

from datetime import datetime, timedelta, timezone

import jwt
from fastapi import Depends, FastAPI, HTTPException, status
from fastapi.security import OAuth2PasswordBearer, OAuth2PasswordRequestForm
from pydantic import BaseModel


class Config:
    JWT_SECRET_KEY = "482913"
    JWT_ALGORITHM = "HS256"
    JWT_LEEWAY = timedelta(hours=1)
    TOKEN_MINUTES = 10


app = FastAPI()
oauth2_scheme = OAuth2PasswordBearer(tokenUrl="token")
meters = {"meter-7": "battlement"}
readings: dict[str, list[float]] = {}


class Reading(BaseModel):
    value: float


def current_meter(token: str = Depends(oauth2_scheme)) -> str:
    try:
        payload = jwt.decode(
            token,
            Config.JWT_SECRET_KEY,
            algorithms=[Config.JWT_ALGORITHM],
            leeway=Config.JWT_LEEWAY,
            options={"require": ["exp", "sub"]},
        )
    except jwt.ExpiredSignatureError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Token has expired")
    except jwt.PyJWTError:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Invalid token")
    return payload["sub"]


@app.post("/token")
def token(form: OAuth2PasswordRequestForm = Depends()):
    if meters.get(form.username) != form.password:
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Wrong meter or password")
    expires = datetime.now(timezone.utc) + timedelta(minutes=Config.TOKEN_MINUTES)
    claims = {"sub": form.username, "exp": expires}
    return {
        "access_token": jwt.encode(claims, Config.JWT_SECRET_KEY, Config.JWT_ALGORITHM),
        "token_type": "bearer",
    }


@app.post("/readings", status_code=201)
def report(reading: Reading, meter: str = Depends(current_meter)):
    readings.setdefault(meter, []).append(reading.value)
    return {"meter": meter, "readings": len(readings[meter])}


@app.get("/readings")
def reported(meter: str = Depends(current_meter)):
    return readings.get(meter, [])
