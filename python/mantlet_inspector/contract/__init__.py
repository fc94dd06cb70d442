"""The contract: which routes an app has, in the order in which it tries them, what each accepts and
promises.
"""
