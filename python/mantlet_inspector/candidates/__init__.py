"""Finds secrets of an app, one of which may be the key that it signs its tokens with, and hands
them to the gate.

The gate tries them on a token that the app has just handed out. Nothing of the app is called: only
what is stored in its modules, objects and functions is looked at, beside its environment. What is
found goes over a socket in the private folder. It never stands in a file, in the environment or on
a command line.
"""
