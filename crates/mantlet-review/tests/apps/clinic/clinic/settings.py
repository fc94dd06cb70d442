import os

from pydantic_settings import BaseSettings


class Settings(BaseSettings):
    app_name: str = "Clinic"
    jwt_secret: str = os.getenv("CLINIC_JWT", "changeme")
    upload_dir: str = "uploads"
    allow_debug: bool = False


settings = Settings()
