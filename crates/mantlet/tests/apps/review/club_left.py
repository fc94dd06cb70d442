"""The club, and a page that says how much is in it."""

from club import app, letters, orders, posts, users


@app.get("/left")
def left() -> dict[str, int]:
    return {"users": len(users), "posts": len(posts), "letters": len(letters), "orders": len(orders)}
