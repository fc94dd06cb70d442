"""Operations to which pages of other sites send forms with their users' browsers."""

from typing import Annotated

from fastapi import FastAPI, Form, Request
from pydantic import BaseModel

app = FastAPI()
lti = FastAPI()


class Apple(BaseModel):
    code: str
    state: str
    user: str = ""


@app.post("/auth/apple")
def apple(answer: Annotated[Apple, Form()]):
    return answer.code


@app.post("/sso/{tenant}/acs")
def assertion(tenant: str, answer: str = Form(alias="SAMLResponse"), relay: str = Form("", alias="RelayState")):
    return tenant


@app.post("/oidc/callback")
async def by_itself(request: Request):
    form = await request.form()
    return dict(form)


@lti.post("/login")
def launch(iss: str = Form(), login_hint: str = Form()):
    return iss


app.mount("/lti", lti)


@app.post("/promo")
def promo(code: str = Form()):
    return code


@app.post("/transfer")
async def transfer(request: Request):
    return len(await request.body())
