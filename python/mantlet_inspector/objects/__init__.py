"""Who owns the objects of an app, as far as its own models, dependencies and tables say. Facts
only: what is proposed is decided elsewhere.

Nothing is imported and no code of the app runs: what the app has imported is looked at.
"""
