//! Dockerfiles and compose files.

use mantlet_review::{
    review::{Outcome, Row},
    rule::Practice,
};

use crate::kit::{folder, found, review, same};

const IMAGES: Row = Row::Practice(Practice::Images);
const PINNED: &str = "python:3.13-slim@sha256:00";

/// What a rule says of a Dockerfile alone.
fn docker(text: &str, rule: &str) -> Vec<String> {
    found(&[("Dockerfile", text)], &[rule])
}

fn compose(text: &str, rule: &str) -> Vec<String> {
    found(&[("compose.yaml", text)], &[rule])
}

#[test]
fn who_the_container_runs_as() {
    const RULE: &str = "container-runs-as-root";
    for (text, expected) in [
        ("FROM python:3.13\nCMD uvicorn main:app\n", Some("medium Dockerfile Dockerfile:1")),
        (
            "FROM python:3.13\nUSER app\nUSER root\nCMD uvicorn main:app\n",
            Some("medium Dockerfile Dockerfile:3"),
        ),
        ("FROM python:3.13\nUSER 0:0\n", Some("medium Dockerfile Dockerfile:2")),
        ("FROM docker.io/library/python:3.13\nCMD x\n", Some("medium Dockerfile Dockerfile:1")),
        // The first stage is not the image.
        (
            "FROM python:3.13 AS build\nUSER app\nFROM python:3.13\nCMD uvicorn main:app\n",
            Some("medium Dockerfile Dockerfile:3"),
        ),
        ("FROM python:3.13 AS base\nUSER app\nFROM base\nCMD uvicorn main:app\n", None),
        ("FROM python:3.13\nUSER app\n", None),
        ("FROM python:3.13\nARG UID=1000\nUSER ${UID}:${UID}\n", None),
        ("FROM python:3.13\nENV USER_NAME=root\nUSER $USER_NAME\n", Some("medium Dockerfile Dockerfile:3")),
        ("FROM python:3.13\nUSER $SET_ELSEWHERE\n", None),
        ("FROM gcr.io/distroless/python3-debian12:nonroot\nCMD x\n", None),
        ("FROM gcr.io/distroless/python3-debian12\nCMD x\n", Some("medium Dockerfile Dockerfile:1")),
        // A here-document is text.
        ("FROM python:3.13\nUSER app\nRUN <<EOF\nUSER root\nEOF\n", None),
        // A start script may switch.
        (
            "FROM python:3.13\nRUN apt-get install -y gosu\nENTRYPOINT [\"/start.sh\"]\n",
            Some("low Dockerfile Dockerfile:1"),
        ),
        // Not about Python: a hint.
        ("FROM nginx:1.27\nCOPY . /x\n", Some("low Dockerfile Dockerfile:1")),
    ] {
        let expected: Vec<String> = expected.iter().map(|rest| format!("{RULE} {rest}")).collect();
        assert_eq!(docker(text, RULE), expected, "{text}");
    }
    // Compose decides last.
    let text = "FROM python:3.13\nCMD uvicorn main:app\n";
    let service = "services:\n  api:\n    build: .\n    user: \"1000:1000\"\n";
    same(&found(&[("Dockerfile", text), ("compose.yaml", service)], &[RULE]), &[]);
}

#[test]
fn an_image_that_nobody_knows_is_not_judged() {
    let folder = folder(&[("Dockerfile", "FROM registry.example/base/python:1.2\nCMD uvicorn main:app\n")]);
    let review = review(folder.path());
    assert!(
        review.row(IMAGES).unjudged.iter().any(|why| why.contains("registry.example/base/python:1.2")),
        "{:?}",
        review.row(IMAGES)
    );
    assert!(!crate::kit::told(&review).iter().any(|line| line.starts_with("container-runs-as-root")));
}

#[test]
fn nothing_to_judge_is_not_a_pass() {
    let folder = folder(&[("main.py", "")]);
    assert_eq!(review(folder.path()).outcome(IMAGES), Outcome::NotJudged);
}

#[test]
fn versions_of_images() {
    for (text, expected) in [
        ("FROM python\nUSER app\n", &["image-without-version medium Dockerfile [python] Dockerfile:1"][..]),
        ("FROM python:latest\n", &["image-without-version medium Dockerfile [python] Dockerfile:1"]),
        ("FROM python:3.13-slim\n", &["image-not-pinned low Dockerfile [python] Dockerfile:1"]),
        ("FROM python@sha256:00\n", &[]),
        ("FROM python:3.13@sha256:00\n", &[]),
        (
            "FROM registry.example:5000/python\n",
            &["image-without-version medium Dockerfile [registry.example:5000/python] Dockerfile:1"],
        ),
        ("ARG TAG=3.13\nFROM python:$TAG\n", &["image-not-pinned low Dockerfile [python] Dockerfile:2"]),
        ("ARG TAG\nFROM python:$TAG\n", &[]),
        (
            "FROM node AS web\nRUN x\nFROM python@sha256:00\n",
            &["image-without-version low Dockerfile [node] Dockerfile:1"],
        ),
        (
            "FROM python@sha256:00\nCOPY --from=ghcr.io/astral-sh/uv:latest /uv /bin/\n",
            &["image-without-version low Dockerfile [ghcr.io/astral-sh/uv] Dockerfile:2"],
        ),
        ("FROM python@sha256:00 AS a\nFROM a\nCOPY --from=a /x /x\nCOPY --from=0 /y /y\n", &[]),
    ] {
        same(&found(&[("Dockerfile", text)], &["image-without-version", "image-not-pinned"]), expected);
    }
    let text = "services:\n  db:\n    image: postgres\n  cache:\n    image: redis:7\n  own:\n    image: shop:latest\n    build: .\n";
    same(
        &compose(text, "image-without-version"),
        &["image-without-version low db (compose.yaml) [postgres] compose.yaml:2"],
    );
}

#[test]
fn secrets_in_images() {
    const RULES: &[&str] = &["secret-in-image", "secret-build-argument"];
    let random = "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7";
    let of = |line: &str| found(&[("Dockerfile", &format!("FROM {PINNED}\n{line}\n"))], RULES);
    let high = |name: &str| vec![format!("secret-in-image high Dockerfile [{name}] Dockerfile:2")];
    let medium = |name: &str| vec![format!("secret-in-image medium Dockerfile [{name}] Dockerfile:2")];
    assert_eq!(of(&format!("ENV JWT_SECRET={random}")), high("JWT_SECRET"));
    assert_eq!(of(&format!("ENV A=b JWT_SECRET=\"{random}\"")), high("JWT_SECRET"));
    assert_eq!(of(&format!("ARG JWT_SECRET={random}")), high("JWT_SECRET"));
    assert_eq!(of("ENV DB_PASSWORD hunter2"), medium("DB_PASSWORD"));
    assert_eq!(of("ENV DATABASE_URL=postgresql://app:hunter2@db/app"), medium("DATABASE_URL"));
    let token = ["ghp", "_a8Zt3vKx1Lw0Pz7Rb5Yd2Nc9qWe4Rt6Yu8Io"].concat();
    assert_eq!(
        of(&format!("RUN pip install git+https://{token}@git.example/x")),
        ["secret-in-image high Dockerfile [RUN a token of GitHub] Dockerfile:2"]
    );
    assert_eq!(
        of("ARG INDEX_PASSWORD"),
        ["secret-build-argument low Dockerfile [INDEX_PASSWORD] Dockerfile:2"]
    );
    for line in [
        "ARG SECRET_KEY=changethis",
        "ENV SECRET_KEY=",
        "ENV SECRET_KEY=$SECRET_KEY",
        "ENV SECRET_KEY_FILE=/run/secrets/key",
        "ENV ACCESS_TOKEN_EXPIRE_MINUTES=30",
        "ENV TOKEN_URL=https://login.example/token",
        "ENV GPG_KEY=7169605F62C751356D054A26A821E680E5FA6305",
        "ARG GIT_COMMIT=09d25e094faa6ca2556c818166b7a9563b93f709",
        "RUN --mount=type=secret,id=token cat /run/secrets/token",
    ] {
        assert_eq!(of(line), Vec::<String>::new(), "{line}");
    }
    // A default is a hint.
    assert_eq!(of("ENV SECRET_KEY=changethis"), ["secret-in-image low Dockerfile [SECRET_KEY] Dockerfile:2"]);
    // Never the value.
    let folder = folder(&[("Dockerfile", &format!("FROM {PINNED}\nENV JWT_SECRET={random}\n"))]);
    assert!(!format!("{:?}", review(folder.path()).findings()).contains(&random[..12]));
}

#[test]
fn environment_files_in_images() {
    const RULE: &str = "environment-file-in-image";
    let env = "SECRET_KEY=hunter2hunter\n";
    let all = format!("FROM {PINNED}\nWORKDIR /app\nCOPY . .\n");
    let of = |files: &[(&str, &str)]| found(files, &[RULE]);
    let told = ["environment-file-in-image medium Dockerfile [.env] Dockerfile:3"];
    same(&of(&[("Dockerfile", &all), (".env", env)]), &told);
    same(&of(&[("Dockerfile", &all), (".env", env), (".dockerignore", "*.md\n")]), &told);
    same(&of(&[("Dockerfile", &all), (".env", env), (".dockerignore", ".env\n")]), &[]);
    same(&of(&[("Dockerfile", &all), (".env", env), (".dockerignore", "*\n!app\n")]), &[]);
    same(
        &of(&[
            ("Dockerfile", &all),
            (".env", env),
            ("Dockerfile.dockerignore", "**/.env*\n"),
            (".dockerignore", "x\n"),
        ]),
        &[],
    );
    same(&of(&[("Dockerfile", &all), (".env", "PORT=8000\nSECRET_KEY=changethis\n")]), &[]);
    same(&of(&[("Dockerfile", &all), (".env.example", env)]), &[]);
    same(&of(&[("Dockerfile", &all.replace("COPY . .", "COPY app app")), (".env", env)]), &[]);
    same(&of(&[("Dockerfile", &all.replace("COPY . .", "COPY .env pyproject.toml ./"))]), &told);
    same(&of(&[("Dockerfile", &all.replace("COPY . .", "COPY [\".env\", \"/app/\"]"))]), &told);
    same(&of(&[("Dockerfile", &all.replace("COPY . .", "COPY --from=build /app/.env ."))]), &[]);
    // By way of a stage whose folder is copied as a whole.
    let staged = "FROM python:3.13 AS base\nWORKDIR /app\nFROM base AS build\nCOPY . .\nFROM python:3.13-slim\nCOPY --from=build /app /app\n";
    let of_build = ["environment-file-in-image medium Dockerfile [.env] Dockerfile:4"];
    same(&of(&[("Dockerfile", staged), (".env", env)]), &of_build);
    same(&of(&[("Dockerfile", staged), (".env", env), (".dockerignore", ".env\n")]), &[]);
    same(&of(&[("Dockerfile", &staged.replace("/app /app", "/app/dist /app")), (".env", env)]), &[]);
    // What compose says of the folder counts.
    let service = "services:\n  api:\n    build:\n      context: ./backend\n";
    same(
        &of(&[("backend/Dockerfile", &all), ("backend/.env", env), ("compose.yaml", service)]),
        &["environment-file-in-image medium backend/Dockerfile [.env] backend/Dockerfile:3"],
    );
}

#[test]
fn what_is_left_inside() {
    let of = |text: &str| docker(text, "build-tools-in-image");
    same(
        &of(
            "FROM python:3.13-slim\nRUN apt-get update && apt-get install -y --no-install-recommends gcc libpq-dev curl\n",
        ),
        &["build-tools-in-image low Dockerfile [gcc libpq-dev] Dockerfile:2"],
    );
    same(
        &of("FROM python:3.13-alpine\nRUN apk add --no-cache build-base\n"),
        &["build-tools-in-image low Dockerfile [build-base] Dockerfile:2"],
    );
    same(&of("FROM python:3.13\nCMD x\n"), &["build-tools-in-image low Dockerfile [python] Dockerfile:1"]);
    for text in [
        "FROM python:3.13-slim\nRUN apt-get update && apt-get install -y libpq5 curl\n",
        "FROM python:3.13-alpine\nRUN apk add --no-cache --virtual .build gcc && pip install x && apk del .build\n",
        "FROM python:3.13-slim\nRUN apt-get install -y gcc && pip install . && apt-get purge -y --auto-remove gcc\n",
        "FROM python:3.13 AS build\nRUN apt-get install -y gcc\nFROM python:3.13-slim\nCOPY --from=build /venv /venv\n",
        "FROM python:3.13-slim\nRUN pip install gcc-wrapper make-it\n",
    ] {
        same(&of(text), &[]);
    }

    let project = "[project]\nname = \"x\"\ndependencies = []\n[dependency-groups]\ndev = [\"pytest\"]\n";
    let of = |project: &str, text: &str| {
        found(&[("pyproject.toml", project), ("Dockerfile", text)], &["development-packages-in-image"])
    };
    let told = |what: &str, line: u32| {
        format!("development-packages-in-image low Dockerfile [{what}] Dockerfile:{line}")
    };
    same(&of(project, "FROM python:3.13-slim\nRUN uv sync --locked\n"), &[&told("uv sync", 2)]);
    same(
        &of(project, "FROM python:3.13-slim\nRUN poetry install --no-root\n"),
        &[&told("poetry install", 2)],
    );
    same(
        &of(project, "FROM python:3.13-slim\nRUN pip install -r requirements-dev.txt\n"),
        &[&told("pip install -r requirements-dev.txt", 2)],
    );
    let copied = "FROM python:3.13 AS build\nWORKDIR /app\nRUN --mount=type=cache,target=/root/.cache uv sync --locked\nFROM python:3.13-slim\nCOPY --from=build /app/.venv /app/.venv\n";
    same(&of(project, copied), &[&told("uv sync", 3)]);
    let named = copied
        .replace("/app/.venv /app/.venv", "${VENV} ${VENV}")
        .replace("-slim\n", "-slim\nENV VENV=/app/.venv\n");
    same(&of(project, &named), &[&told("uv sync", 3)]);
    for text in [
        "FROM python:3.13-slim\nRUN uv sync --locked --no-dev\n",
        "FROM python:3.13-slim\nENV UV_NO_DEV=1\nRUN uv sync --locked\n",
        "FROM python:3.13-slim\nRUN poetry install --only main\n",
        "FROM python:3.13-slim\nRUN pip install -r requirements.txt\n",
        "FROM python:3.13 AS test\nRUN uv sync\nFROM python:3.13-slim\nRUN uv sync --no-dev\n",
        &copied.replace("uv sync --locked", "uv sync --locked --no-dev"),
    ] {
        same(&of(project, text), &[]);
    }
    same(&of("[project]\nname = \"x\"\ndependencies = []\n", "FROM python:3.13-slim\nRUN uv sync\n"), &[]);
}

#[test]
fn health_checks() {
    const RULE: &str = "no-health-check";
    let plain = "FROM python:3.13-slim\nCMD uvicorn main:app\n";
    let told = ["no-health-check low Dockerfile Dockerfile:1"];
    same(&docker(plain, RULE), &told);
    same(&docker("FROM python:3.13-slim\nHEALTHCHECK NONE\nCMD uvicorn main:app\n", RULE), &told);
    same(
        &docker("FROM python:3.13-slim\nHEALTHCHECK CMD curl -f localhost\nCMD uvicorn main:app\n", RULE),
        &[],
    );
    same(
        &docker("FROM python:3.13-slim AS base\nHEALTHCHECK CMD x\nFROM base\nCMD uvicorn main:app\n", RULE),
        &[],
    );
    let with = |check: &str| {
        found(
            &[
                ("Dockerfile", plain),
                (
                    "compose.yaml",
                    &format!("services:\n  api:\n    build: .\n    healthcheck:\n      {check}\n"),
                ),
            ],
            &[RULE],
        )
    };
    same(&with("test: [\"CMD\", \"curl\", \"-f\", \"localhost\"]"), &[]);
    same(&with("disable: true"), &told);
}

#[test]
fn services() {
    const READ_ONLY: &str = "writable-root-file-system";
    const PRIVILEGED: &str = "privileged-container";
    same(
        &compose("services:\n  db:\n    image: postgres:17\n  api:\n    build: .\n", READ_ONLY),
        &["writable-root-file-system low api (compose.yaml) compose.yaml:4"],
    );
    same(&compose("services:\n  api:\n    build: .\n    read_only: true\n", READ_ONLY), &[]);
    same(
        &compose(
            "x-app: &app\n  read_only: true\nservices:\n  api:\n    <<: *app\n    build: .\n",
            READ_ONLY,
        ),
        &[],
    );
    let files = [
        ("compose.yaml", "services:\n  api:\n    build: .\n    read_only: true\n"),
        ("compose.override.yaml", "services:\n  api:\n    build: .\n    ports: [\"8000:8000\"]\n"),
    ];
    same(&found(&files, &[READ_ONLY]), &[]);

    same(
        &compose("services:\n  api:\n    build: .\n    privileged: true\n", PRIVILEGED),
        &["privileged-container high api (compose.yaml) compose.yaml:2"],
    );
    same(&compose("services:\n  probe:\n    image: monitor:1\n    privileged: true\n", PRIVILEGED), &[]);
}

#[test]
fn secrets_in_compose_files() {
    const RULE: &str = "secret-in-compose";
    let random = "q8Zt3vKx1Lw0Pz7Rb5Yd2Nc9";
    let of = |value: &str| {
        compose(
            &format!("services:\n  api:\n    environment:\n      PORT: 8000\n      SECRET_KEY: {value}\n"),
            RULE,
        )
    };
    let told = |level: &str, line: u32| {
        format!("secret-in-compose {level} api (compose.yaml) [SECRET_KEY] compose.yaml:{line}")
    };
    same(&of(random), &[&told("high", 5)]);
    same(&of("hunter2"), &[&told("low", 5)]);
    same(&of("changethis"), &[&told("low", 5)]);
    same(&of("${SECRET_KEY:-changethis}"), &[&told("low", 5)]);
    same(&of(&format!("${{SECRET_KEY:-{random}}}")), &[&told("high", 5)]);
    for value in ["${SECRET_KEY}", "${SECRET_KEY:?set it}", "\"\"", "${SECRET_KEY:-}"] {
        same(&of(value), &[]);
    }
    let list = format!(
        "services:\n  api:\n    environment:\n      - PORT=8000\n      - \"SECRET_KEY={random}\"\n      - FROM_OUTSIDE\n"
    );
    same(&compose(&list, RULE), &[&told("high", 5)]);
    // A file for work on the app.
    let dev = found(&[("docker-compose.dev.yml", &list)], &[RULE]);
    same(&dev, &["secret-in-compose low api (docker-compose.dev.yml) [SECRET_KEY] docker-compose.dev.yml:5"]);
}

#[test]
fn ports_past_the_gate() {
    const RULE: &str = "app-published-past-gate";
    let of = |gate: &str, ports: &str| {
        compose(
            &format!(
                "services:\n  gate:\n    image: gate:1\n    command: {gate}\n    ports: [\"443:8443\"]\n  api:\n    image: api:1\n    command: uvicorn main:app --host 0.0.0.0\n    {ports}\n"
            ),
            RULE,
        )
    };
    same(
        &of("mantlet serve", "ports: [\"8000:8000\"]"),
        &["app-published-past-gate medium api (compose.yaml) compose.yaml:6"],
    );
    same(&of("mantlet serve", "ports: [\"127.0.0.1:8000:8000\"]"), &[]);
    same(&of("mantlet serve", "expose: [\"8000\"]"), &[]);
    // There is no gate to go past.
    same(&of("nginx", "ports: [\"8000:8000\"]"), &[]);
    // The gate runs the app itself.
    same(
        &compose(
            "services:\n  api:\n    image: api:1\n    command: mantlet run main:app\n    ports: [\"443:8443\"]\n",
            RULE,
        ),
        &[],
    );
}
