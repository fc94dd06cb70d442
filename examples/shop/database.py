"""The shop's SQLite file: its schema, its first data, and one connection a request."""

import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

from fastapi import Depends

import passwords

PATH = Path(os.environ.get("SHOP_DB", Path(__file__).with_name("shop.db")))
PICTURES = PATH.parent / "pictures"

SCHEMA = """
CREATE TABLE IF NOT EXISTS users (
    id INTEGER PRIMARY KEY,
    username TEXT NOT NULL UNIQUE,
    email TEXT NOT NULL,
    password_hash TEXT NOT NULL,
    is_admin INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS products (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL,
    description TEXT NOT NULL DEFAULT '',
    category TEXT NOT NULL,
    price_cents INTEGER NOT NULL,
    stock INTEGER NOT NULL DEFAULT 0,
    supplier_price_cents INTEGER,
    picture TEXT
);
CREATE TABLE IF NOT EXISTS orders (
    id INTEGER PRIMARY KEY,
    user_id INTEGER NOT NULL REFERENCES users (id),
    product_id INTEGER NOT NULL REFERENCES products (id),
    quantity INTEGER NOT NULL,
    address TEXT NOT NULL,
    status TEXT NOT NULL DEFAULT 'new',
    created_at TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP
);
CREATE TABLE IF NOT EXISTS reviews (
    id INTEGER PRIMARY KEY,
    product_id INTEGER NOT NULL REFERENCES products (id),
    stars INTEGER NOT NULL,
    text TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS subscribers (
    email TEXT PRIMARY KEY
);
CREATE TABLE IF NOT EXISTS vouchers (
    client_ip TEXT PRIMARY KEY,
    code TEXT NOT NULL
);
"""

USERS = [("alice", 0), ("bob", 0), ("admin", 1)]  # each one's password is NAME-password

PRODUCTS = [
    ("Longbow", "Yew, six feet, drawn at 90 pounds", "bows", 18900, 7, 9200),
    ("Crossbow", "Slow to load, easy to aim", "bows", 24900, 3, 14100),
    ("Bodkin arrows", "A sheaf of 24, for mail", "arrows", 4800, 40, 1900),
    ("Broadhead arrows", "A sheaf of 24, for game", "arrows", 5200, 25, 2100),
    ("Pavise", "A shield as tall as its owner", "shields", 9900, 5, 4400),
    ("Mantlet", "A wall on wheels: stand behind it", "shields", 34900, 2, 17000),
]

ORDERS = [("alice", 1, 1, "1 Archer's Row"), ("alice", 3, 2, "1 Archer's Row"), ("bob", 6, 1, "9 Moat Lane")]


def connect() -> sqlite3.Connection:
    # FastAPI opens and closes a dependency on different threads of its pool.
    connection = sqlite3.connect(PATH, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.execute("PRAGMA foreign_keys = ON")
    return connection


def prepare() -> None:
    """Creates what is missing. Workers that start together do it one after the other."""
    PICTURES.mkdir(parents=True, exist_ok=True)
    connection = connect()
    connection.executescript(SCHEMA)
    connection.execute("BEGIN IMMEDIATE")
    if connection.execute("SELECT count(*) FROM users").fetchone()[0] == 0:
        connection.executemany(
            "INSERT INTO users (username, email, password_hash, is_admin) VALUES (?, ?, ?, ?)",
            [(name, f"{name}@shop.example", passwords.hash(f"{name}-password"), admin) for name, admin in USERS],
        )
        connection.executemany(
            "INSERT INTO products (name, description, category, price_cents, stock, supplier_price_cents)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            PRODUCTS,
        )
        connection.executemany(
            "INSERT INTO orders (user_id, product_id, quantity, address)"
            " VALUES ((SELECT id FROM users WHERE username = ?), ?, ?, ?)",
            ORDERS,
        )
    connection.commit()
    connection.close()


def session() -> Iterator[sqlite3.Connection]:
    connection = connect()
    try:
        yield connection
        connection.commit()
    finally:
        connection.close()


Database = Annotated[sqlite3.Connection, Depends(session)]
