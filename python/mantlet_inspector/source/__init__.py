"""The text of an app's code, what stands in it, and whose it is. Nothing here knows what the code
is for.
"""
