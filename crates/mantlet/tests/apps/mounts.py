"""Three apps mounted beside each other, each with CORS of its own, and one with none around them."""

from fastapi import FastAPI, Request, Response
from fastapi.middleware.cors import CORSMiddleware

app = FastAPI()
public, friend, picky = FastAPI(), FastAPI(), FastAPI()
everything = {"allow_credentials": True, "allow_methods": ["*"], "allow_headers": ["*"]}
public.add_middleware(CORSMiddleware, allow_origins=["*"], **everything)
friend.add_middleware(CORSMiddleware, allow_origins=["https://front.example"], **everything)


@picky.middleware("http")
async def by_method_and_query(request: Request, call_next):
    """Lets one origin post, another read, and nobody where the query says so."""
    method = request.headers.get("access-control-request-method", request.method)
    answer = Response() if request.method == "OPTIONS" else await call_next(request)
    origin = request.headers.get("origin")
    if origin in ("https://front.example", "https://other.example") and "closed" not in request.query_params:
        answer.headers["Access-Control-Allow-Origin"] = origin
        if origin == "https://other.example" and method == "POST":
            answer.headers["Access-Control-Allow-Credentials"] = "true"
    return answer


for place in (app, public, friend, picky):

    @place.post("/{name}")
    @place.put("/{name}")
    def change(name: str):
        return name


app.mount("/public", public)
app.mount("/friend", friend)
app.mount("/picky", picky)
