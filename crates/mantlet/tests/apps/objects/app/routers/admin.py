import uuid

from fastapi import APIRouter, Depends
from sqlmodel import func, select

from app.db import SessionDep
from app.deps import get_current_superuser
from app.models import Note, NotePublic
from app.routers.notes import get_note

router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(get_current_superuser)])


@router.get("/notes/{note_id}", response_model=NotePublic)
def read_any_note(note_id: uuid.UUID, session: SessionDep):
    return get_note(note_id, session)


@router.get("/statistics")
def read_statistics(session: SessionDep) -> dict[str, int]:
    return {"notes": session.exec(select(func.count()).select_from(Note)).one()}
