from clinic.routers import auth, patients
from clinic.settings import settings
from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware

app = FastAPI(title=settings.app_name)
app.add_middleware(
    CORSMiddleware, allow_origins=["*"], allow_credentials=True, allow_methods=["*"], allow_headers=["*"]
)
app.include_router(auth.router)
app.include_router(patients.router)


@app.get("/health")
def health():
    return {"ok": True}


@app.get("/config", include_in_schema=False)
def config():
    return settings.model_dump()
