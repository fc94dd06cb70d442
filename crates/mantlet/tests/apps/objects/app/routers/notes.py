import csv
import io
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Depends, Header, HTTPException, Query, Response, UploadFile
from fastapi.responses import FileResponse, JSONResponse, StreamingResponse
from sqlmodel import Session, col, select

from app import config
from app.db import SessionDep, engine
from app.deps import CurrentUser
from app.models import (
    Comment,
    CommentCreate,
    CommentPublic,
    Ids,
    Note,
    NoteBase,
    NoteCreate,
    NotePublic,
    NotesPublic,
    NoteUpdate,
    now,
)

router = APIRouter(prefix="/notes", tags=["notes"])


def get_note(note_id: uuid.UUID, session: SessionDep) -> Note:
    note = session.get(Note, note_id)
    if note is None or note.deleted_at is not None:
        raise HTTPException(404, "Note not found")
    return note


NoteDep = Annotated[Note, Depends(get_note)]


def as_csv(notes: list[Note]) -> str:
    text = io.StringIO()
    rows = csv.writer(text)
    rows.writerows([note.title, note.body] for note in notes)
    return text.getvalue()


@router.get("")
def read_notes(
    session: SessionDep, current_user: CurrentUser, offset: int = 0, limit: int = 1000
) -> NotesPublic:
    notes = session.exec(select(Note).where(col(Note.deleted_at).is_(None)).order_by(Note.title)).all()
    page = [NotePublic.model_validate(note) for note in notes[offset : offset + limit]]
    return NotesPublic(data=page, count=len(notes))


@router.post("", status_code=201, response_model=NotePublic)
def create_note(new: NoteCreate, session: SessionDep, current_user: CurrentUser):
    note = Note(title=new.title, body=new.body, owner_id=new.owner_id or current_user.id)
    session.add(note)
    session.commit()
    return note


@router.get("/batch", response_model=list[NotePublic])
def read_batch(ids: Annotated[list[uuid.UUID], Query()], session: SessionDep, current_user: CurrentUser):
    return session.exec(select(Note).where(col(Note.id).in_(ids), col(Note.deleted_at).is_(None))).all()


@router.post("/batch-delete")
def delete_batch(batch: Ids, session: SessionDep, current_user: CurrentUser) -> dict[str, int]:
    notes = [get_note(note_id, session) for note_id in batch.ids]
    for note in notes:
        note.deleted_at = now()
    session.commit()
    return {"deleted": len(notes)}


@router.get("/export")
def export_notes(current_user: CurrentUser, owner_id: uuid.UUID | None = None) -> StreamingResponse:
    owner_id = owner_id or current_user.id

    def lines() -> Iterator[str]:
        with Session(engine) as session:
            for note in session.exec(select(Note).where(Note.owner_id == owner_id)):
                yield as_csv([note])

    return StreamingResponse(lines(), media_type="text/csv")


@router.head("/{note_id}")
@router.get("/{note_id}", response_model=NotePublic)
def read_note(
    note: NoteDep,
    current_user: CurrentUser,
    response: Response,
    fields: Annotated[str | None, Query(description="names of fields, with commas")] = None,
    accept: Annotated[str, Header()] = "application/json",
    if_none_match: Annotated[str | None, Header()] = None,
):
    etag = f'"{note.id.hex}-{note.version}"'
    if if_none_match == etag:
        return Response(status_code=304, headers={"ETag": etag})
    if accept == "text/csv":
        return Response(as_csv([note]), media_type="text/csv")
    if fields:
        content = NotePublic.model_validate(note).model_dump(mode="json", include=set(fields.split(",")))
        return JSONResponse(content)
    response.headers["ETag"] = etag
    return note


def save(note: Note, session: Session) -> Note:
    note.version += 1
    session.commit()
    return note


@router.put("/{note_id}", response_model=NotePublic)
def replace_note(note: NoteDep, new: NoteBase, session: SessionDep, current_user: CurrentUser):
    return save(note.sqlmodel_update(new), session)


@router.patch("/{note_id}", response_model=NotePublic)
def update_note(note: NoteDep, changes: NoteUpdate, session: SessionDep, current_user: CurrentUser):
    return save(note.sqlmodel_update(changes.model_dump(exclude_unset=True)), session)


@router.delete("/{note_id}", status_code=204)
def delete_note(note: NoteDep, session: SessionDep, current_user: CurrentUser) -> None:
    note.deleted_at = now()
    session.commit()


@router.put("/{note_id}/attachment", status_code=204)
def attach(note: NoteDep, file: UploadFile, session: SessionDep, current_user: CurrentUser) -> None:
    folder = Path(config.ATTACHMENTS)
    folder.mkdir(exist_ok=True)
    (folder / note.id.hex).write_bytes(file.file.read())
    note.attachment = Path(file.filename or "attachment").name
    session.commit()


@router.get("/{note_id}/attachment", response_class=FileResponse)
def read_attachment(note: NoteDep):
    if note.attachment is None:
        raise HTTPException(404, "No attachment")
    return FileResponse(
        Path(config.ATTACHMENTS) / note.id.hex,
        filename=note.attachment,
        media_type="application/octet-stream",
    )


@router.get("/{note_id}/comments", response_model=list[CommentPublic])
def read_comments(note: NoteDep, current_user: CurrentUser):
    return note.comments


@router.post("/{note_id}/comments", status_code=201, response_model=CommentPublic)
def create_comment(note: NoteDep, new: CommentCreate, session: SessionDep, current_user: CurrentUser):
    comment = Comment(note_id=note.id, author_id=current_user.id, text=new.text)
    session.add(comment)
    session.commit()
    return comment
