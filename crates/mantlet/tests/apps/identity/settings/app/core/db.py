from sqlalchemy import create_engine, select
from sqlalchemy.orm import DeclarativeBase, Session

from app.core.config import settings

engine = create_engine(settings.DATABASE_URL, connect_args={"check_same_thread": False})


class Base(DeclarativeBase):
    pass


def init_db(session: Session) -> None:
    from app import crud
    from app.models import User, UserCreate

    Base.metadata.create_all(engine)
    found = session.scalars(select(User).where(User.email == settings.FIRST_SUPERUSER)).first()
    if not found:
        first = UserCreate(
            email=settings.FIRST_SUPERUSER,
            password=settings.FIRST_SUPERUSER_PASSWORD,
            is_superuser=True,
        )
        crud.create_user(session=session, user_create=first)
