"""Imported by a dependency when it is called."""

from fastapi import HTTPException


def check():
    raise HTTPException(401)
