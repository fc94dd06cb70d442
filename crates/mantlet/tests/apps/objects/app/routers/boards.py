import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException

from app.db import SessionDep
from app.deps import CurrentUser
from app.models import Board, BoardBase, BoardPublic, User

router = APIRouter(prefix="/boards", tags=["boards"])


def get_board(board_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> Board:
    board = session.get(Board, board_id)
    if board is None:
        raise HTTPException(404, "Board not found")
    return board


BoardDep = Annotated[Board, Depends(get_board)]


@router.post("", status_code=201, response_model=BoardPublic)
def create_board(new: BoardBase, session: SessionDep, current_user: CurrentUser):
    board = Board(title=new.title, owner_id=current_user.id)
    session.add(board)
    session.commit()
    return board


@router.get("/{board_id}", response_model=BoardPublic)
def read_board(board: BoardDep, current_user: CurrentUser):
    may_read = board.owner_id == current_user.id or current_user in board.readers
    if not may_read and not current_user.is_superuser:
        raise HTTPException(404, "Board not found")
    return board


@router.patch("/{board_id}", response_model=BoardPublic)
def rename_board(board: BoardDep, new: BoardBase, session: SessionDep):
    board.title = new.title
    session.commit()
    return board


@router.put("/{board_id}/readers/{user_id}", status_code=204)
def share_board(board: BoardDep, user_id: uuid.UUID, session: SessionDep, current_user: CurrentUser) -> None:
    if board.owner_id != current_user.id:
        raise HTTPException(404, "Board not found")
    user = session.get(User, user_id)
    if user is None:
        raise HTTPException(404, "User not found")
    board.readers.append(user)
    session.commit()
