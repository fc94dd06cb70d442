"""An app that cannot be imported: what it needs on line 3 is not installed."""

import a_module_that_nobody_has_installed
from fastapi import FastAPI

app = FastAPI()
