"""Reads a function statement by statement, with what each name stands for, to see whether requests
stay as they are.
"""
