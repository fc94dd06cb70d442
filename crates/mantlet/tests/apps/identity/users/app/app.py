from contextlib import asynccontextmanager

from fastapi import Depends, FastAPI

from app.db import User, create_db_and_tables
from app.schemas import UserCreate, UserRead, UserUpdate
from app.users import (
    backends,
    current_active_user,
    current_verified_user,
    fastapi_users,
    optional_user,
)


@asynccontextmanager
async def lifespan(app: FastAPI):
    await create_db_and_tables()
    yield


app = FastAPI(lifespan=lifespan)

for path, backend in backends.items():
    app.include_router(
        fastapi_users.get_auth_router(backend), prefix=f"/auth/{path}", tags=["auth"]
    )
app.include_router(
    fastapi_users.get_register_router(UserRead, UserCreate), prefix="/auth", tags=["auth"]
)
app.include_router(fastapi_users.get_reset_password_router(), prefix="/auth", tags=["auth"])
app.include_router(fastapi_users.get_verify_router(UserRead), prefix="/auth", tags=["auth"])
app.include_router(
    fastapi_users.get_users_router(UserRead, UserUpdate), prefix="/users", tags=["users"]
)


@app.get("/authenticated-route")
async def authenticated_route(user: User = Depends(current_active_user)):
    return {"message": f"Hello {user.email}!"}


@app.get("/verified-route")
async def verified_route(user: User = Depends(current_verified_user)):
    return {"message": f"{user.email} is verified"}


@app.get("/greeting")
async def greeting(user: User | None = Depends(optional_user)):
    return {"message": f"Hello {user.email if user else 'stranger'}!"}
