"""Notes that were deleted, and may come back."""

import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import col, select

from app.db import SessionDep
from app.deps import CurrentUser
from app.models import Note, NotePublic

router = APIRouter(prefix="/trash", tags=["trash"])


def get_deleted_note(note_id: uuid.UUID, session: SessionDep) -> Note:
    note = session.get(Note, note_id)
    if note is None or note.deleted_at is None:
        raise HTTPException(404, "Note not found")
    return note


DeletedNote = Annotated[Note, Depends(get_deleted_note)]


@router.get("", response_model=list[NotePublic])
def read_trash(session: SessionDep, current_user: CurrentUser):
    notes = select(Note).where(Note.owner_id == current_user.id, col(Note.deleted_at).is_not(None))
    return session.exec(notes).all()


@router.get("/{note_id}", response_model=NotePublic)
def read_deleted_note(note: DeletedNote, current_user: CurrentUser):
    return note


@router.post("/{note_id}/restore", response_model=NotePublic)
def restore_note(note: DeletedNote, session: SessionDep, current_user: CurrentUser):
    note.deleted_at = None
    session.commit()
    return note
