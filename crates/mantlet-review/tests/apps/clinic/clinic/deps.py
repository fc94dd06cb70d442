from fastapi import Depends, HTTPException, status
from fastapi.security import APIKeyHeader, OAuth2PasswordBearer
from jose import JWTError, jwt
from sqlmodel import Session, select

from clinic.models import Doctor, engine
from clinic.settings import settings

oauth2_scheme = OAuth2PasswordBearer(tokenUrl="auth/token")
api_key = APIKeyHeader(name="X-Api-Key")


def get_db():
    db = Session(engine)
    try:
        yield db
    finally:
        db.close()


def get_current_doctor(token: str = Depends(oauth2_scheme), db: Session = Depends(get_db)) -> Doctor:
    unauthorized = HTTPException(status.HTTP_401_UNAUTHORIZED, "Could not validate credentials")
    try:
        payload = jwt.decode(token, settings.jwt_secret, algorithms=["HS256"])
        email = payload.get("sub")
    except JWTError:
        raise unauthorized
    doctor = db.exec(select(Doctor).where(Doctor.email == email)).first()
    if doctor is None:
        raise unauthorized
    return doctor


def require_role(*roles: str):
    def checker(doctor: Doctor = Depends(get_current_doctor)) -> Doctor:
        if doctor.role not in roles:
            raise HTTPException(status.HTTP_403_FORBIDDEN, "Not allowed")
        return doctor

    return checker


require_chief = require_role("chief")
