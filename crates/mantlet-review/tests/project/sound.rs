//! Sound projects, as their authors would write them: nothing at or above `medium`.

use std::process::Command;

use mantlet_review::{
    project::{Database, Project},
    review::{Outcome, Row},
    rule::Practice,
};

use crate::kit::{copy, fixture, folder, judge, nothing_at_medium, write};

const UV_DOCKERFILE: &str = r#"# syntax=docker/dockerfile:1
FROM ghcr.io/astral-sh/uv:0.9-python3.13-bookworm-slim AS builder
ENV UV_COMPILE_BYTECODE=1 UV_LINK_MODE=copy
ENV UV_NO_DEV=1
WORKDIR /app
RUN apt-get update && apt-get install -y --no-install-recommends gcc libpq-dev
RUN --mount=type=cache,target=/root/.cache/uv \
    --mount=type=bind,source=uv.lock,target=uv.lock \
    --mount=type=bind,source=pyproject.toml,target=pyproject.toml \
    uv sync --locked --no-install-project
COPY . /app
RUN --mount=type=cache,target=/root/.cache/uv \
    uv sync --locked

FROM python:3.13-slim-bookworm
RUN groupadd --system --gid 999 app && useradd --system --gid 999 --uid 999 --create-home app
COPY --from=builder --chown=app:app /app /app
ENV PATH="/app/.venv/bin:$PATH"
USER app
WORKDIR /app
EXPOSE 8000
HEALTHCHECK --interval=10s CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:8000/health')"]
CMD ["fastapi", "run", "--host", "0.0.0.0", "src/app"]
"#;

const COMPOSE: &str = r#"services:
  db:
    image: postgres:17
    restart: always
    env_file: [.env]
    environment:
      - POSTGRES_PASSWORD=${POSTGRES_PASSWORD?Variable not set}
      - POSTGRES_USER=${POSTGRES_USER?Variable not set}
    healthcheck:
      test: ["CMD-SHELL", "pg_isready -U ${POSTGRES_USER}"]
  api:
    build:
      context: .
    read_only: true
    tmpfs: [/tmp]
    depends_on:
      db:
        condition: service_healthy
    environment:
      SECRET_KEY: ${SECRET_KEY?Variable not set}
      DATABASE_URL: postgresql://${POSTGRES_USER}:${POSTGRES_PASSWORD}@db/app
    ports:
      - "8000:8000"
"#;

const WORKFLOW: &str = "name: test
on: [push]
jobs:
  test:
    runs-on: ubuntu-latest
    env:
      SECRET_KEY: ${{ secrets.SECRET_KEY }}
      DATABASE_URL: postgresql://postgres:postgres@localhost/test
    steps:
      - uses: actions/checkout@11bd71901bbe5b1630ceea73d27597364c9af683 # v4.2.2
      - run: uv sync --locked
      - run: uv run pytest
      - run: uvx pip-audit
";

fn commit(folder: &std::path::Path) {
    for arguments in [&["init", "--quiet"][..], &["add", "--all"]] {
        let status = Command::new("git")
            .args(arguments)
            .current_dir(folder)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .status()
            .unwrap();
        assert!(status.success());
    }
}

#[test]
fn a_project_with_uv() {
    let folder = copy("locks/uv", |_, text| Some(text));
    write(
        folder.path(),
        &[
            ("Dockerfile", UV_DOCKERFILE),
            ("compose.yaml", COMPOSE),
            (".dockerignore", ".venv\n.git\n.env\n"),
            (".gitignore", ".venv\n.env\n"),
            (".env.example", "SECRET_KEY=changethis\nPOSTGRES_PASSWORD=changethis\nPOSTGRES_USER=postgres\n"),
            (".github/workflows/test.yml", WORKFLOW),
            (
                ".github/dependabot.yml",
                "version: 2\nupdates:\n  - package-ecosystem: uv\n    directory: /\n    schedule: {interval: weekly}\n",
            ),
            (
                "src/app/main.py",
                "import os\nfrom fastapi import FastAPI\napp = FastAPI()\nSECRET_KEY = os.environ['SECRET_KEY']\n",
            ),
            (
                "tests/test_main.py",
                "PASSWORD = 'correct horse battery staple'\nTOKEN = 'eyJhbGciOiJub25lIn0.e30.'\n",
            ),
        ],
    );
    commit(folder.path());
    write(folder.path(), &[(".env", "SECRET_KEY=hunter2hunter2\n")]);
    let project =
        Project::read(folder.path()).with_advisories(Database::read(&fixture("osv/records")).unwrap());
    let review = judge(&project);
    nothing_at_medium(&review);
    // The hints that are left: three tags without a digest.
    let hints: Vec<String> = crate::kit::told(&review);
    assert_eq!(
        hints,
        [
            "image-not-pinned low Dockerfile [ghcr.io/astral-sh/uv] Dockerfile:2",
            "image-not-pinned low Dockerfile [python] Dockerfile:15"
        ]
    );
    assert_eq!(review.outcome(Row::Practice(Practice::Dependencies)), Outcome::Passed);
    assert_eq!(review.outcome(Row::Practice(Practice::Tokens)), Outcome::Passed);
}

#[test]
fn a_project_with_requirements() {
    let folder = copy("locks/pip-tools", |_, text| Some(text));
    write(
        folder.path(),
        &[
            (
                "Dockerfile",
                "ARG PYTHON=3.13\nFROM python:${PYTHON}-slim\nENV PYTHONUNBUFFERED=1 \\\n    # no cache\n    PIP_NO_CACHE_DIR=1\nWORKDIR /code\nRUN apt-get update \\\n && apt-get install -y --no-install-recommends libpq5 \\\n && rm -rf /var/lib/apt/lists/*\nCOPY ./requirements.txt ./\nRUN pip install --require-hashes -r requirements.txt\nCOPY ./app ./app\nRUN useradd --system app\nUSER app\nCMD [\"uvicorn\", \"app.main:app\", \"--host\", \"0.0.0.0\", \"--proxy-headers\"]\n",
            ),
            (
                "docker-compose.yml",
                "version: '3.8'\nservices:\n  web:\n    build: .\n    command: uvicorn app.main:app --host 0.0.0.0 --reload\n    environment:\n      - POSTGRES_PASSWORD=postgres\n      - JWT_SECRET=dev-secret-change-me\n    ports: ['8000:8000']\n  redis:\n    image: redis:7-alpine\n",
            ),
            ("requirements-dev.txt", "-r requirements.txt\npytest\nruff\n"),
            (".gitlab-ci.yml", "test:\n  image: python:3.13\n  script: [pytest]\n"),
            ("app/main.py", "app = 1\n"),
        ],
    );
    commit(folder.path());
    nothing_at_medium(&judge(&Project::read(folder.path())));
}

#[test]
fn a_project_in_parts() {
    // A backend with Poetry and a frontend with its own image.
    let folder = folder(&[
        (
            "frontend/Dockerfile",
            "FROM node:22 AS build\nWORKDIR /app\nCOPY . .\nARG VITE_API_URL\nRUN npm run build\nFROM nginx:1\nCOPY --from=build /app/dist /usr/share/nginx/html\n",
        ),
        (
            "backend/Dockerfile",
            "FROM python:3.13-slim AS base\nENV POETRY_VERSION=2.1 POETRY_NO_INTERACTION=1\nFROM base AS build\nRUN pip install poetry==$POETRY_VERSION\nWORKDIR /app\nCOPY pyproject.toml poetry.lock ./\nRUN poetry install --only main --no-root\nFROM base\nCOPY --from=build /app/.venv /app/.venv\nCOPY app app\nUSER 1000\nHEALTHCHECK CMD true\nCMD [\"gunicorn\", \"app:app\"]\n",
        ),
        (
            "docker-compose.yml",
            "services:\n  proxy:\n    image: traefik:3.0\n    volumes: ['/var/run/docker.sock:/var/run/docker.sock:ro']\n  backend:\n    build:\n      context: ./backend\n    env_file: .env\n    environment:\n      - DOMAIN=${DOMAIN}\n  frontend:\n    build: {context: ./frontend, args: [VITE_API_URL=https://api.example.com]}\n",
        ),
        (
            ".env",
            "DOMAIN=localhost\nSECRET_KEY=changethis\nFIRST_SUPERUSER_PASSWORD=changethis\nPOSTGRES_PASSWORD=changethis\nSENTRY_DSN=\nSMTP_TLS=True\n",
        ),
        ("scripts/test.sh", "set -e\npytest\n"),
    ]);
    let poetry = fixture("locks/poetry");
    for name in ["pyproject.toml", "poetry.lock"] {
        std::fs::copy(poetry.join(name), folder.path().join("backend").join(name)).unwrap();
    }
    commit(folder.path());
    nothing_at_medium(&judge(&Project::read(folder.path())));
}
