"""An app with a secret of each kind, none of which it uses."""

import config
from called import CALLED, IMPORTED
from cryptography.hazmat.primitives.asymmetric import ec
from fastapi import APIRouter, Depends, FastAPI
from guards import Guard, closed_over, get_current_user, partial
from starlette.middleware.sessions import SessionMiddleware

app = FastAPI()
app.add_middleware(SessionMiddleware, secret_key="of a middleware")
app.state.signer = "of the app's state"
private_key = ec.derive_private_key(7, ec.SECP256R1())
router = APIRouter(dependencies=[Depends(Guard("of an object that is called"))])


@router.get("/me")
def me(
    user=Depends(get_current_user),
    check=Depends(closed_over("of a closure")),
    part=Depends(partial),
    method=Depends(Guard("of an object whose method is called").method),
):
    return user


@app.get("/called")
def called():
    return CALLED


app.include_router(router)
assert config.SECRET_KEY
IMPORTED.append(True)
