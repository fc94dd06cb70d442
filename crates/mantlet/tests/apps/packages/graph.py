"""A GraphQL API by Strawberry: queries, mutations, files, and subscriptions over WebSockets."""

import asyncio
from collections.abc import AsyncGenerator

import strawberry
from fastapi import FastAPI
from strawberry.fastapi import GraphQLRouter
from strawberry.file_uploads import Upload


@strawberry.type
class Archer:
    id: int
    name: str
    password: str


ARCHERS = [Archer(id=1, name="Ann", password="in plain sight")]


@strawberry.type
class Query:
    @strawberry.field
    def archers(self) -> list[Archer]:
        return ARCHERS


@strawberry.type
class Mutation:
    @strawberry.mutation
    def enlist(self, name: str, password: str) -> Archer:
        ARCHERS.append(Archer(id=len(ARCHERS) + 1, name=name, password=password))
        return ARCHERS[-1]

    @strawberry.mutation
    async def measure(self, file: Upload) -> int:
        return len(await file.read())

    @strawberry.mutation
    def fail(self) -> str:
        raise ValueError("on purpose")


@strawberry.type
class Subscription:
    @strawberry.subscription
    async def volley(self, arrows: int) -> AsyncGenerator[int, None]:
        for arrow in range(arrows):
            yield arrow
            await asyncio.sleep(0)


schema = strawberry.Schema(Query, Mutation, Subscription)
app = FastAPI()
app.include_router(GraphQLRouter(schema, multipart_uploads_enabled=True), prefix="/graphql")
