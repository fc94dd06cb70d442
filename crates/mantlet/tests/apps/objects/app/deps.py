"""Who calls."""

import uuid
from typing import Annotated

import jwt
from fastapi import Depends, HTTPException, status
from fastapi.security import OAuth2PasswordBearer

from app import config
from app.db import SessionDep
from app.models import Membership, Organization, User

oauth2 = OAuth2PasswordBearer(tokenUrl="/login/access-token")


def get_current_user(session: SessionDep, token: Annotated[str, Depends(oauth2)]) -> User:
    try:
        claims = jwt.decode(token, config.SECRET_KEY, algorithms=[config.ALGORITHM])
        user = session.get(User, uuid.UUID(claims["sub"]))
    except (jwt.InvalidTokenError, KeyError, ValueError):
        user = None
    if user is None:
        headers = {"WWW-Authenticate": "Bearer"}
        raise HTTPException(status.HTTP_401_UNAUTHORIZED, "Could not validate credentials", headers)
    return user


CurrentUser = Annotated[User, Depends(get_current_user)]


def get_current_superuser(current_user: CurrentUser) -> User:
    if not current_user.is_superuser:
        raise HTTPException(status.HTTP_403_FORBIDDEN, "The user doesn't have enough privileges")
    return current_user


def get_organization(organization_id: uuid.UUID, session: SessionDep) -> Organization:
    organization = session.get(Organization, organization_id)
    if organization is None:
        raise HTTPException(404, "Organization not found")
    return organization


def get_own_organization(
    session: SessionDep,
    current_user: CurrentUser,
    organization: Annotated[Organization, Depends(get_organization)],
) -> Organization:
    """Of which the caller is a member."""
    is_member = session.get(Membership, (organization.id, current_user.id)) is not None
    if not is_member and not current_user.is_superuser:
        raise HTTPException(404, "Organization not found")
    return organization


AnyOrganization = Annotated[Organization, Depends(get_organization)]
OwnOrganization = Annotated[Organization, Depends(get_own_organization)]
