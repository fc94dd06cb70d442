from typing import Any

from fastapi import APIRouter, HTTPException
from sqlalchemy import select

from app import crud
from app.api.deps import CurrentUser, SessionDep
from app.models import Item, ItemCreate, ItemPublic

router = APIRouter(prefix="/items", tags=["items"])


@router.get("/", response_model=list[ItemPublic])
def read_items(session: SessionDep, current_user: CurrentUser) -> Any:
    return session.scalars(select(Item).where(Item.owner_id == current_user.id)).all()


@router.get("/{item_id}", response_model=ItemPublic)
def read_item(item_id: int, session: SessionDep, current_user: CurrentUser) -> Any:
    item = session.get(Item, item_id)
    if not item:
        raise HTTPException(status_code=404, detail="Item not found")
    if not current_user.is_superuser and item.owner_id != current_user.id:
        raise HTTPException(status_code=403, detail="Not enough permissions")
    return item


@router.post("/", response_model=ItemPublic)
def create_item(session: SessionDep, item_in: ItemCreate, current_user: CurrentUser) -> Any:
    return crud.create_item(session=session, item_in=item_in, owner_id=current_user.id)
