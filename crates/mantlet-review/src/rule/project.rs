//! Rules about the project around the app: dependencies, images, files that are committed.

use super::{Level, Owasp, Practice, Rule};

rules! {
    NO_LOCK_FILE = "no-lock-file", Medium, Api8, Some(Practice::Dependencies), 1104,
        "Dependencies are not locked",
        "Each build may install other versions, and it cannot be told which ones run in production.",
        "Commit a lock file with hashes: `uv lock`, `poetry lock`, `pdm lock` or `pip-compile --generate-hashes`.";

    LOCK_INCOMPLETE = "lock-incomplete", Medium, Api8, Some(Practice::Dependencies), 1104,
        "A dependency is missing in the lock file",
        "The installer chooses its version anew each time, so an update that was not looked at may run in production.",
        "Make the lock file anew, commit it, and install with a command that refuses an incomplete one (`uv sync --locked`).";

    LOCK_OUT_OF_STEP = "lock-out-of-step", Medium, Api8, Some(Practice::Dependencies), 1104,
        "The lock file was made for other requirements",
        "What is installed is not what the project asks for, or the lock file is set aside without a word.",
        "Make the lock file anew, commit it, and check it in CI (`uv lock --check`, `poetry check --lock`).";

    LOCK_WITHOUT_HASHES = "lock-without-hashes", Medium, Api8, Some(Practice::Dependencies), 353,
        "Packages of the lock file have no digest",
        "An attacker who controls the index, or stands before it, can put another file in the place of a locked version.",
        "Make the lock file anew with digests of all files, from an index that has them.";

    REQUIREMENTS_WITHOUT_HASHES = "requirements-without-hashes", Low, Api8, Some(Practice::Dependencies), 353,
        "A requirements file names versions without digests",
        "An attacker who controls the index, or stands before it, can put another file in the place of a version.",
        "Write it with `pip-compile --generate-hashes` or `uv export`, and install with `pip install --require-hashes`.";

    LOCK_NOT_COMMITTED = "lock-not-committed", Low, Api8, Some(Practice::Dependencies), 1104,
        "The lock file is not in git",
        "It holds on one machine only. A build elsewhere chooses versions anew.",
        "Take it out of `.gitignore` and commit it.";

    VULNERABLE_DEPENDENCY = "vulnerable-dependency", High, Api8, Some(Practice::Dependencies), 1395,
        "A locked package has a known weakness",
        "An attacker finds the weakness, and often the way to use it, in the same public record.",
        "Update to a version in which it is fixed.";

    CONTAINER_RUNS_AS_ROOT = "container-runs-as-root", Medium, Api8, Some(Practice::Images), 250,
        "The container runs as root",
        "Who takes over the app owns the whole container, and a weakness of the kernel gives them the machine.",
        "Make a user in the last stage and switch to it with `USER`.";

    IMAGE_WITHOUT_VERSION = "image-without-version", Medium, Api8, Some(Practice::Images), 1357,
        "An image has no version",
        "Each build may begin with another system and another Python, without a word in the file.",
        "Name a version, for example `python:3.13-slim`.";

    IMAGE_NOT_PINNED = "image-not-pinned", Low, Api8, Some(Practice::Images), 1357,
        "A base image is not pinned by digest",
        "A tag can be pointed at another image, by its owner or by an attacker with their account.",
        "Add the digest, for example `python:3.13-slim@sha256:…`, and let a bot update it.";

    SECRET_IN_IMAGE = "secret-in-image", High, Api8, Some(Practice::Tokens), 798,
        "A secret is written in a Dockerfile",
        "Every holder of the image or the repository reads it, in every version that was ever built.",
        "Hand it over when the container starts. While building, use `RUN --mount=type=secret`. Replace the secret.";

    SECRET_BUILD_ARGUMENT = "secret-build-argument", Low, Api8, Some(Practice::Tokens), 538,
        "A build argument seems to be a secret",
        "The history of an image shows the build arguments with which it was made.",
        "Use `RUN --mount=type=secret` instead of `ARG`.";

    ENVIRONMENT_FILE_IN_IMAGE = "environment-file-in-image", Medium, Api8, Some(Practice::Tokens), 538,
        "A file with settings is copied into the image",
        "Every holder of the image reads the secrets in it.",
        "Name it in `.dockerignore`, and hand the settings over when the container starts.";

    BUILD_TOOLS_IN_IMAGE = "build-tools-in-image", Low, Api8, Some(Practice::Images), 1104,
        "Build tools are left in the image",
        "An attacker within the container finds a compiler, and scanners find weaknesses of what the app does not need.",
        "Build in a stage of its own, and copy only the result into a slim last stage.";

    DEVELOPMENT_PACKAGES_IN_IMAGE = "development-packages-in-image", Low, Api8, Some(Practice::Images), 489,
        "Packages for development are installed in the image",
        "More code that is not looked after in production can be weak, or can be used by an attacker.",
        "Leave them out: `uv sync --no-dev`, `poetry install --only main`, `pdm sync --prod`.";

    NO_HEALTH_CHECK = "no-health-check", Low, Api8, Some(Practice::Images), 754,
        "The image has no health check",
        "A container whose app hangs goes on getting requests.",
        "Add `HEALTHCHECK` to the Dockerfile, or `healthcheck` to the service. Orchestrators with probes of their own do without.";

    WRITABLE_ROOT_FILE_SYSTEM = "writable-root-file-system", Low, Api8, Some(Practice::Images), 732,
        "A container may write to its root file system",
        "Who takes over the app can change its code and leave programs behind.",
        "Set `read_only: true`, and a `tmpfs` or a volume where the app has to write.";

    PRIVILEGED_CONTAINER = "privileged-container", High, Api8, Some(Practice::Images), 250,
        "A container is privileged",
        "Who takes over the app owns the machine.",
        "Remove `privileged: true`. If a capability is needed, add just that one with `cap_add`.";

    SECRET_IN_COMPOSE = "secret-in-compose", High, Api8, Some(Practice::Tokens), 798,
        "A secret is written in a compose file",
        "Every holder of the repository reads it, in every version of the file.",
        "Take it from the environment (`${NAME}`), from an `env_file` outside of git, or from `secrets`. Replace the secret.";

    APP_PUBLISHED_PAST_GATE = "app-published-past-gate", Medium, Api8, Some(Practice::Images), 923,
        "The app can be reached past the gate",
        "Who sends requests to the app's own port meets none of the controls of the gate.",
        "Publish the port of the gate only: take `ports` from the app's service, or bind them to `127.0.0.1`.";

    SECRET_COMMITTED = "secret-committed", High, Api8, Some(Practice::Tokens), 798,
        "A token is in git",
        "Every holder of the repository, now or later, can use it. Removing the line leaves it in the history.",
        "Take it back where it was issued, then remove it and read it from the environment.";

    PRIVATE_KEY_COMMITTED = "private-key-committed", High, Api2, Some(Practice::Tokens), 321,
        "A private key is in git",
        "Every holder of the repository, now or later, can sign or decrypt with it.",
        "Make a new key, keep it outside of git, and stop trusting this one.";

    ENVIRONMENT_FILE_COMMITTED = "environment-file-committed", Medium, Api8, Some(Practice::Tokens), 538,
        "A file with secrets is in git",
        "Every holder of the repository, now or later, reads the secrets. Removing the file leaves them in the history.",
        "Replace the secrets, run `git rm --cached` on the file, and name it in `.gitignore`. Commit an example instead.";

    KEY_STORE_COMMITTED = "key-store-committed", Low, Api8, Some(Practice::Tokens), 321,
        "A key store is in git",
        "It may hold private keys. How well they are kept depends on its password.",
        "If it holds a private key, make a new one and keep it outside of git.";

    CI_WITHOUT_AUDIT = "ci-without-audit", Low, Api8, Some(Practice::Dependencies), 1395,
        "CI does not look for known weaknesses",
        "A weakness that becomes known after the last update of a package stays unnoticed.",
        "Add a step such as `uv audit`, `pip-audit` or `osv-scanner`, and let Dependabot or Renovate propose updates.";

    ACTION_NOT_PINNED = "action-not-pinned", Low, Api8, Some(Practice::Dependencies), 829,
        "CI runs an action that is not pinned by a commit",
        "A tag can be moved. Who moves it runs their code with the secrets of CI.",
        "Name the commit, with the version in a comment, and let a bot update it.";
}
