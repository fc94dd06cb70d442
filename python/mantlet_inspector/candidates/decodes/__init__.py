"""Proves which keys the code of an app verifies tokens with, and that there are no others.

Each place in the app's own modules that verifies a token is looked for, and the values that its key
may have. Nothing of the app runs: its syntax trees are read beside the objects that its modules
hold. What is not understood makes the proof incomplete. It never makes it wrong.
"""
