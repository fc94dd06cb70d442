"""The app of FastAPI's tutorial a year later: its users log out, and change their passwords."""

from typing import Annotated

from fastapi import Depends, HTTPException
from pydantic import BaseModel

from tutorial import (
    User,
    app,
    authenticate_user,
    get_current_active_user,
    password_hash,
    users_db,
)

CurrentUser = Annotated[User, Depends(get_current_active_user)]


class Passwords(BaseModel):
    current_password: str
    new_password: str


@app.post("/logout")
async def log_out(current_user: CurrentUser):
    # The client forgets its token.
    return {"message": "Logged out"}


@app.put("/users/me/password")
async def change_password(passwords: Passwords, current_user: CurrentUser):
    if not authenticate_user(users_db, current_user.username, passwords.current_password):
        raise HTTPException(400, "Incorrect password")
    user = users_db[current_user.username]
    user["hashed_password"] = password_hash.hash(passwords.new_password)
    return {"message": "Password changed"}
