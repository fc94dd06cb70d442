"""What of the app was called once it was imported."""

CALLED = []
IMPORTED = []


def note(name):
    if IMPORTED:
        CALLED.append(name)
