import uuid
from typing import Annotated

from fastapi import APIRouter, Depends, HTTPException
from sqlmodel import select

from app.db import SessionDep
from app.deps import CurrentUser, get_current_user
from app.models import Project, ProjectPublic, ProjectUpdate

router = APIRouter(prefix="/projects", tags=["projects"], dependencies=[Depends(get_current_user)])


def get_project(project_id: uuid.UUID, session: SessionDep) -> Project:
    project = session.get(Project, project_id)
    if project is None:
        raise HTTPException(404, "Project not found")
    return project


ProjectDep = Annotated[Project, Depends(get_project)]


@router.get("", response_model=list[ProjectPublic])
def read_projects(session: SessionDep, current_user: CurrentUser, offset: int = 0, limit: int = 1000):
    return session.exec(select(Project).order_by(Project.name).offset(offset).limit(limit)).all()


@router.get("/{project_id}", response_model=ProjectPublic)
def read_project(project: ProjectDep):
    return project


@router.patch("/{project_id}", response_model=ProjectPublic)
def update_project(project: ProjectDep, changes: ProjectUpdate, session: SessionDep):
    project.sqlmodel_update(changes.model_dump(exclude_unset=True))
    session.commit()
    return project


@router.delete("/{project_id}", status_code=204)
def delete_project(project: ProjectDep, session: SessionDep) -> None:
    session.delete(project)
    session.commit()
