"""What code that runs around FastAPI's validation may do to requests and responses. It is read, and
never run.
"""
