import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from app.db import SessionDep
from app.deps import CurrentUser
from app.models import Comment, CommentCreate, CommentPublic

router = APIRouter(prefix="/comments", tags=["comments"])


def get_comment(comment_id: uuid.UUID, session: SessionDep) -> Comment:
    comment = session.get(Comment, comment_id)
    if comment is None or comment.note.deleted_at is not None:
        raise HTTPException(404, "Comment not found")
    return comment


CommentDep = Annotated[Comment, Depends(get_comment)]


@router.get("/{comment_id}", response_model=CommentPublic)
def read_comment(comment: CommentDep, current_user: CurrentUser):
    return comment


@router.patch("/{comment_id}", response_model=CommentPublic)
def update_comment(comment: CommentDep, new: CommentCreate, session: SessionDep, current_user: CurrentUser):
    if comment.author_id != current_user.id and not current_user.is_superuser:
        raise HTTPException(403, "Only its author changes a comment")
    comment.text = new.text
    session.commit()
    return comment


@router.delete("/{comment_id}", status_code=204)
def delete_comment(comment: CommentDep, session: SessionDep, current_user: CurrentUser) -> None:
    session.delete(comment)
    session.commit()
