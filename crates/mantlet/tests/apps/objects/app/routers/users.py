import uuid

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import col, select

from app.db import SessionDep
from app.deps import CurrentUser, get_current_superuser
from app.models import Note, NotePublic, User, UserMe, UserPublic, UserUpdate

router = APIRouter(prefix="/users", tags=["users"])


@router.get("", dependencies=[Depends(get_current_superuser)], response_model=list[UserPublic])
def read_users(session: SessionDep):
    return session.exec(select(User).order_by(User.email)).all()


@router.get("/me")
def read_user_me(current_user: CurrentUser) -> UserMe:
    memberships = current_user.memberships
    return UserMe(
        **current_user.model_dump(),
        org_ids=[membership.organization_id for membership in memberships],
        admin_org_ids=[membership.organization_id for membership in memberships if membership.is_admin],
    )


@router.get("/{user_id}", response_model=UserPublic)
def read_user_by_id(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser):
    user = session.get(User, user_id)
    if user == current_user:
        return user
    if not current_user.is_superuser:
        raise HTTPException(403, "The user doesn't have enough privileges")
    if user is None:
        raise HTTPException(404, "User not found")
    return user


@router.patch("/{user_id}", response_model=UserPublic)
def update_user(user_id: uuid.UUID, user_in: UserUpdate, session: SessionDep, current_user: CurrentUser):
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    user.sqlmodel_update(user_in.model_dump(exclude_unset=True))
    session.commit()
    return user


@router.get("/{user_id}/notes", response_model=list[NotePublic])
def read_notes_of_user(user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser):
    if session.get(User, user_id) is None:
        raise HTTPException(404, "User not found")
    notes = select(Note).where(Note.owner_id == user_id, col(Note.deleted_at).is_(None))
    return session.exec(notes).all()
