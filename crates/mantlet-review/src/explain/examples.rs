//! What closes a rule, as it is written. The first line says in which file.

/// An example for a rule.
pub(super) fn example(id: &str) -> Option<&'static str> {
    EXAMPLES.iter().find(|(ids, _)| ids.contains(&id)).map(|(_, text)| *text)
}

/// Rules, and the example that they share.
const EXAMPLES: &[(&[&str], &str)] = &[
    (
        &["object-of-another", "object-changed-by-another", "object-without-rule"],
        r#"# mantlet.toml: an order is shown to the customer in its `customer_id`
[[authorization.own]]
paths  = ["/orders/{order_id}"]
owner  = "response:/customer_id"
equals = "principal:id""#,
    ),
    (
        &["credentials-guessed", "login-without-limit", "flow-without-limit"],
        r#"# mantlet.toml
[throttle]
sensitive = "enforce""#,
    ),
    (
        &[
            "object-without-login",
            "unauthenticated",
            "hidden-operation-answers",
            "write-without-login",
            "read-without-login",
        ],
        r#"# the app
@app.delete("/orders/{order_id}", dependencies=[Depends(current_user)])

# or mantlet.toml
[[authorization.allow]]
paths = ["/orders/{order_id}"]
who   = ["authenticated"]"#,
    ),
    (
        &["credential-not-checked"],
        "# the app, before: any text passes
async def me(token: str = Depends(oauth2_scheme)): ...
# after
async def me(user: User = Depends(current_user)): ...",
    ),
    (
        &["guessable-code"],
        "# the app, before
code = str(random.randint(100000, 999999))
# after
code = secrets.token_urlsafe(16)",
    ),
    (
        &["literal-credential", "weak-signing-key"],
        r#"# the app, before
SECRET_KEY = os.getenv("SECRET_KEY", "secret")
# after: it does not start without a key, made by `openssl rand -hex 32`
SECRET_KEY = os.environ["SECRET_KEY"]"#,
    ),
    (
        &["token-not-verified"],
        r#"# the app, before
jwt.decode(token, options={"verify_signature": False})
# after
jwt.decode(token, SECRET_KEY, algorithms=["HS256"])"#,
    ),
    (
        &["token-lasts-long", "token-without-end", "long-lived-token"],
        r#"# the app
expires = datetime.now(timezone.utc) + timedelta(minutes=15)
jwt.encode({"sub": user.id, "exp": expires}, SECRET_KEY, algorithm="HS256")"#,
    ),
    (
        &["weak-password-hash", "password-in-plain"],
        "# the app, before
user.password = hashlib.sha256(password.encode()).hexdigest()
# after, with argon2-cffi
user.password_hash = PasswordHasher().hash(password)",
    ),
    (
        &["secret-shown", "field-not-declared", "password-in-answer", "more-than-the-model"],
        r#"# the app, before: the row as it is
@app.get("/users/me")
async def me(user: User = Depends(current_user)):
    return user
# after: the fields of a model, and no others
@app.get("/users/me", response_model=UserOut)"#,
    ),
    (
        &["role-from-input", "owner-from-input"],
        "# the app, before: `is_admin` and `owner_id` are fields of the input
item = Item(**data.model_dump())
# after: they are not, and the handler sets them
item = Item(title=data.title, owner_id=user.id)",
    ),
    (
        &["mass-assignment", "role-assigned", "any-field-written"],
        r#"# the app
class UserUpdate(BaseModel):
    model_config = ConfigDict(extra="forbid")
    full_name: str | None = None"#,
    ),
    (
        &["unbounded-page"],
        "# the app, before
async def orders(limit: int = 100): ...
# after
async def orders(limit: Annotated[int, Query(ge=1, le=100)] = 100): ...",
    ),
    (
        &["upload-without-limit"],
        r#"# mantlet.toml
[uploads]
file-size = "10 MiB""#,
    ),
    (
        &["input-breaks", "unbounded-input"],
        "# the app
class Note(BaseModel):
    title: Annotated[str, Field(max_length=200)]
    tags: Annotated[list[str], Field(max_length=20)]",
    ),
    (
        &["function-of-administrators", "admin-without-role", "less-guarded"],
        r#"# mantlet.toml
[[authorization.allow]]
paths = ["/admin", "/admin/{rest:path}"]
who   = ["principal:is_admin"]"#,
    ),
    (
        &["request-to-input"],
        r#"# the app
ALLOWED = {"hooks.example.com", "api.partner.example"}
if urlsplit(str(data.url)).hostname not in ALLOWED:
    raise HTTPException(422, "this host is not allowed")"#,
    ),
    (
        &["sql-from-input"],
        r#"# the app, before
session.execute(text(f"SELECT * FROM orders WHERE title = '{title}'"))
# after
session.execute(text("SELECT * FROM orders WHERE title = :title"), {"title": title})"#,
    ),
    (
        &["code-from-input"],
        r#"# the app, before
subprocess.run(f"convert {name} out.png", shell=True)
# after
subprocess.run(["convert", "--", name, "out.png"], check=True)"#,
    ),
    (
        &["file-name-as-path"],
        r#"# the app, before
path = FOLDER / file.filename
# after
path = FOLDER / f"{uuid4()}.bin""#,
    ),
    (
        &["redirect-to-input"],
        r#"# the app, before
return RedirectResponse(next)
# after: a path of this app
return RedirectResponse(next if next in {"/", "/orders", "/profile"} else "/")"#,
    ),
    (
        &["secret-in-answer"],
        r#"# the app, before
return {"settings": settings}
# after
return {"version": settings.version}"#,
    ),
    (
        &["error-tells", "error-text"],
        r#"# the app, before
except Exception as error:
    raise HTTPException(500, str(error))
# after
except PaymentError:
    logger.exception("payment failed")
    raise HTTPException(502, "the payment service is not available")"#,
    ),
    (
        &["debug"],
        "# the app, before
app = FastAPI(debug=True)
# after
app = FastAPI()",
    ),
    (
        &["docs-reachable", "docs-public"],
        r#"# mantlet.toml
[contract]
docs = "reject""#,
    ),
    (
        &["foreign-origin", "any-origin", "cors-any-origin", "cors-loose-pattern"],
        r#"# the app, before
allow_origins=["*"], allow_credentials=True
# after
allow_origins=["https://app.example.com"], allow_credentials=True"#,
    ),
    (
        &["session-cookie-is-open", "session-cookie", "cookie"],
        r#"# the app
response.set_cookie("session", value, httponly=True, secure=True, samesite="lax")"#,
    ),
    (
        &["headers-missing", "headers-off"],
        r#"# mantlet.toml
[headers]
mode = "enforce""#,
    ),
    (
        &["no-redirect-to-https", "https-not-required"],
        r#"# mantlet.toml, behind a proxy that ends TLS
[client]
trusted = ["10.0.0.5"]

[https]
required = "always""#,
    ),
    (
        &["host-reflected", "hosts-not-checked"],
        r#"# mantlet.toml
[host]
allow = ["api.example.com"]"#,
    ),
    (
        &["no-audit"],
        r#"# mantlet.toml
[audit]
file = "/var/log/shop/audit.jsonl""#,
    ),
    (
        &["only-reported"],
        "# mantlet.toml
report-only = false",
    ),
    (
        &["control-off"],
        r#"# mantlet.toml
[contract]
input = "enforce""#,
    ),
    (
        &["hidden-operation"],
        r#"# mantlet.toml
[[route]]
path = "/internal/report"
contract.hidden-routes = "reject""#,
    ),
    (
        &["deprecated-without-sunset", "old-version"],
        r#"# mantlet.toml: operations that the app marks `deprecated=True`
[deprecation]
mode   = "enforce"
since  = "2026-12-01"
sunset = "2027-06-30""#,
    ),
    (
        &["peer-not-verified"],
        r#"# the app, before
httpx.get(url, verify=False)
# after, with an authority of your own
httpx.get(url, verify=ssl.create_default_context(cafile="authority.pem"))"#,
    ),
    (
        &["plain-call"],
        r#"# the app, before
httpx.get("http://rates.example.com/today")
# after
httpx.get("https://rates.example.com/today")"#,
    ),
    (
        &["call-without-timeout"],
        "# the app
requests.get(url, timeout=5)",
    ),
    (
        &["no-lock-file", "lock-incomplete", "lock-out-of-step", "lock-not-committed"],
        "$ uv lock
$ git add uv.lock
# when the image is built: fails if the lock file does not fit
$ uv sync --locked --no-dev",
    ),
    (
        &["lock-without-hashes", "requirements-without-hashes"],
        "$ uv pip compile --generate-hashes requirements.in -o requirements.txt
$ pip install --require-hashes -r requirements.txt",
    ),
    (&["vulnerable-dependency"], "$ uv lock --upgrade-package jinja2"),
    (
        &["container-runs-as-root"],
        "# Dockerfile
RUN useradd --system --no-create-home app
USER app",
    ),
    (
        &["image-without-version", "image-not-pinned"],
        "# Dockerfile, before
FROM python
# after
FROM python:3.13-slim@sha256:…",
    ),
    (
        &["secret-in-image", "secret-build-argument"],
        "# Dockerfile, before
ARG TOKEN
RUN pip install --index-url https://user:$TOKEN@packages.example.com/simple shop
# after
RUN --mount=type=secret,id=netrc,target=/root/.netrc pip install shop",
    ),
    (
        &["environment-file-in-image"],
        "# .dockerignore
.env
.env.*",
    ),
    (
        &["build-tools-in-image", "development-packages-in-image"],
        "# Dockerfile
FROM python:3.13 AS build
COPY pyproject.toml uv.lock ./
RUN uv sync --locked --no-dev

FROM python:3.13-slim
COPY --from=build /.venv /.venv",
    ),
    (
        &["no-health-check"],
        r#"# Dockerfile
HEALTHCHECK CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:8000/health')"]"#,
    ),
    (
        &["writable-root-file-system", "privileged-container"],
        "# compose.yaml
services:
  app:
    read_only: true
    tmpfs: [/tmp]
    cap_drop: [ALL]",
    ),
    (
        &["secret-in-compose"],
        "# compose.yaml, before
environment:
  DATABASE_PASSWORD: hunter2
# after
environment:
  DATABASE_PASSWORD: ${DATABASE_PASSWORD}",
    ),
    (
        &["app-published-past-gate"],
        r#"# compose.yaml: only the gate has `ports`
services:
  gate:
    ports: ["443:8000"]
  app:
    expose: ["9000"]"#,
    ),
    (
        &["secret-committed", "private-key-committed", "environment-file-committed", "key-store-committed"],
        "$ git rm --cached .env
$ echo .env >> .gitignore
# what was in it is in the history: replace each secret where it was issued",
    ),
    (
        &["ci-without-audit"],
        r#"# .github/workflows/audit.yml
on: {push: {}, schedule: [{cron: "17 5 * * *"}]}
jobs:
  audit:
    runs-on: ubuntu-latest
    steps:
      - uses: actions/checkout@v4
      - run: pipx run pip-audit --require-hashes -r requirements.txt"#,
    ),
    (
        &["action-not-pinned"],
        "# a workflow, before
- uses: actions/checkout@v4
# after: the commit of the version
- uses: actions/checkout@COMMIT # v4.3.0",
    ),
    (
        &["baseline-entry-expired", "baseline-entry-unmatched"],
        r#"# mantlet-check.toml
[[accept]]
rule    = "object-without-rule"
subject = "GET /orders/{order_id}"
reason  = "orders are public until the new login is there"
until   = "2027-01-31""#,
    ),
    (
        &["accounts-told"],
        r#"# the app: the same answer, whether or not the account exists
if user is None or not verified(password, user.password_hash):
    raise HTTPException(401, "wrong name or password")"#,
    ),
    (
        &["objects-told"],
        r#"# the app: the owner is part of what is looked for
order = session.scalar(select(Order).where(Order.id == order_id, Order.owner_id == user.id))
if order is None:
    raise HTTPException(404, "no such order")"#,
    ),
    (
        &["input-before-login"],
        "# the app: the credential is checked before the input of the operations
router = APIRouter(dependencies=[Depends(current_user)])",
    ),
    (
        &["no-hsts"],
        r#"# mantlet.toml
[headers.strict-transport-security]
max-age = "365d""#,
    ),
    (
        &["page-without-policy"],
        r#"# the app
response.headers["Content-Security-Policy"] = "default-src 'self'; frame-ancestors 'none'"

# or mantlet.toml
[headers.content-security-policy]
page = "base-uri 'self'; object-src 'none'; frame-ancestors 'self'""#,
    ),
    (
        &["answer-is-stored"],
        r#"# the app
response.headers["Cache-Control"] = "no-store""#,
    ),
    (&["method-trace"], "# the app: leave TRACE out of `methods` of routes and mounted apps"),
];
