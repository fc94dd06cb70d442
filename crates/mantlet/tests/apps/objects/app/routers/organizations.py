import uuid

from fastapi import APIRouter, HTTPException
from sqlmodel import select

from app.db import SessionDep
from app.deps import AnyOrganization, CurrentUser, OwnOrganization
from app.models import Member, Membership, Organization, Project, ProjectBase, ProjectPublic, User

router = APIRouter(prefix="/organizations/{organization_id}", tags=["organizations"])


@router.get("")
def read_organization(organization: OwnOrganization) -> Organization:
    return organization


@router.get("/members", response_model=list[Member])
def read_members(organization: AnyOrganization, session: SessionDep, current_user: CurrentUser):
    return session.exec(select(Membership).where(Membership.organization_id == organization.id)).all()


@router.post("/members", status_code=201)
def add_member(
    new: Member, organization: OwnOrganization, session: SessionDep, current_user: CurrentUser
) -> Member:
    caller = session.get(Membership, (organization.id, current_user.id))
    if not current_user.is_superuser and not (caller and caller.is_admin):
        raise HTTPException(403, "Only an admin of the organization adds members")
    if session.get(User, new.user_id) is None:
        raise HTTPException(404, "User not found")
    session.merge(Membership(organization_id=organization.id, **new.model_dump()))
    session.commit()
    return new


@router.delete("/members/{user_id}", status_code=204)
def remove_member(
    user_id: uuid.UUID, organization: AnyOrganization, session: SessionDep, current_user: CurrentUser
) -> None:
    membership = session.get(Membership, (organization.id, user_id))
    if membership is None:
        raise HTTPException(404, "Member not found")
    session.delete(membership)
    session.commit()


@router.get("/projects", response_model=list[ProjectPublic])
def read_projects_of_organization(organization: OwnOrganization, session: SessionDep):
    return session.exec(select(Project).where(Project.organization_id == organization.id)).all()


@router.post("/projects", status_code=201, response_model=ProjectPublic)
def create_project(new: ProjectBase, organization: OwnOrganization, session: SessionDep):
    project = Project(organization_id=organization.id, **new.model_dump())
    session.add(project)
    session.commit()
    return project
