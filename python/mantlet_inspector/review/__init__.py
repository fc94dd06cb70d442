"""What the review needs of an app and the gate does not: where handlers stand, how the app is set
up, and what can be shown of its code. Nothing is guessed: what is not understood is not written.
"""
