//! Images and containers: Dockerfiles and compose files.
//!
//! Of a Dockerfile with several stages, the last one and those it begins with are in the image. What an earlier
//! stage does counts only where its result is copied.

use std::collections::BTreeSet;

use self::{
    compose::Service,
    parse::{Base, Dockerfile, Instruction, Stage, Variables, expand, pairs, words},
};
use super::{
    Project,
    environment::{self, is_environment, is_example},
    files::{folder_of, is_aside, is_compose, is_dockerfile, is_for_development, name_of, within},
    locks::Dependencies,
    manifest::Need,
    secret::{self, Judged},
    text::{has_word, listed},
};
use crate::{
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Level, Owasp, Practice, Rule, project as rules},
};

mod compose;
mod ignore;
mod parse;

/// A value that may be a secret, by the name of its variable.
const WRITTEN: &str = "a value that is not a placeholder";
const ROWS: [Row; 2] = [Row::Practice(Practice::Images), Row::Owasp(Owasp::Api8)];

pub(super) fn review(project: &Project, dependencies: &[Dependencies], review: &mut Review) {
    let services = compose::read(project, review);
    let files: Vec<(&String, Dockerfile)> = project
        .files
        .iter()
        .filter(|(path, _)| is_dockerfile(name_of(path)) && !is_aside(path))
        .map(|(path, text)| (path, Dockerfile::parse(text)))
        .filter(|(_, file)| !file.stages.is_empty())
        .collect();
    if files.is_empty() && services.is_empty() {
        for row in ROWS {
            review.unjudged(row, "there is no Dockerfile and no compose file");
        }
        return;
    }
    for row in ROWS {
        review.looked(row, "Dockerfiles", files.len());
        review.looked(row, "services of compose files", services.len());
    }
    for (path, file) in &files {
        let built: Vec<&Service> = services.iter().filter(|service| service.builds(path)).collect();
        let image = Image::of(project, path, file, built, dependencies);
        image.review(review);
    }
    compose::review(project, &services, &files, review);
}

/// One Dockerfile and what is known of it.
struct Image<'a> {
    project: &'a Project,
    path: &'a str,
    file: &'a Dockerfile,
    /// The last stage, and those that it begins with, the last first.
    stages: Vec<&'a Stage>,
    /// Services of compose files that build it.
    services: Vec<&'a Service>,
    has_development_group: bool,
    /// It is not for the app, or not for production: nothing about it is more than a hint.
    is_aside: bool,
}

/// How certain it is who the container runs as.
enum Runs {
    Root,
    User,
    Unknown(String),
}

impl<'a> Image<'a> {
    fn of(
        project: &'a Project,
        path: &'a str,
        file: &'a Dockerfile,
        services: Vec<&'a Service>,
        dependencies: &[Dependencies],
    ) -> Self {
        let has_development_group = dependencies.iter().any(|one| {
            one.manifest.document.is_some()
                && one.manifest.requirements.iter().any(|(need, _)| *need == Need::Development)
        });
        let is_aside = is_for_development(name_of(path)) || !is_python(file);
        Self { project, path, file, stages: file.of_image(), services, has_development_group, is_aside }
    }

    fn review(&self, review: &mut Review) {
        self.user(review);
        self.images(review);
        self.secrets(review);
        self.environment_files(review);
        self.build_tools(review);
        self.development_packages(review);
        self.health_check(review);
    }

    fn finding(&self, rule: &'static Rule, message: String, line: u32) -> Finding {
        let place = Place { file: self.path.to_owned(), line: Some(line) };
        let finding = Finding::new(rule, self.path, message).at(Some(place));
        let level = if self.is_aside { finding.level.min(Level::Low) } else { finding.level };
        finding.level(level)
    }

    /// The instructions of the image with a name, in the order in which they run.
    fn instructions(&self, name: &'a str) -> impl Iterator<Item = &'a Instruction> {
        self.stages.iter().rev().flat_map(|stage| &stage.instructions).filter(move |one| one.name == name)
    }

    /// What the variables of the image are at its end.
    fn variables(&self) -> Variables {
        let mut known = Variables::new();
        for argument in &self.file.arguments {
            known.extend(pairs(argument).into_iter().filter(|(_, value)| value.is_some()));
        }
        for one in self.stages.iter().rev().flat_map(|stage| &stage.instructions) {
            if matches!(one.name.as_str(), "ARG" | "ENV") {
                for (name, value) in pairs(one) {
                    let value = value.and_then(|value| expand(&value, &known));
                    if value.is_some() || !known.contains_key(&name) {
                        known.insert(name, value);
                    }
                }
            }
        }
        known
    }

    fn image(&self) -> Option<&'a str> {
        match &self.stages.last()?.base {
            Base::Image(Some(image)) => Some(image),
            _ => None,
        }
    }

    fn runs_as(&self) -> Runs {
        if let Some(user) = self.instructions("USER").last() {
            let Some(user) = expand(user.text.trim(), &self.variables()) else { return Runs::User };
            let name = user.split(':').next().unwrap_or_default();
            return if matches!(name, "root" | "0") { Runs::Root } else { Runs::User };
        }
        match self.stages.last().map(|stage| &stage.base) {
            Some(Base::Scratch) => Runs::Root,
            Some(Base::Image(Some(image))) => match base_user(image) {
                Some(true) => Runs::Root,
                Some(false) => Runs::User,
                None => Runs::Unknown(image.clone()),
            },
            _ => Runs::Unknown("its base".to_owned()),
        }
    }

    fn user(&self, review: &mut Review) {
        if self.services.iter().any(|service| service.runs_as_user) {
            return;
        }
        let last = self.stages.first().map_or(1, |stage| stage.line);
        match self.runs_as() {
            Runs::User => {}
            Runs::Unknown(base) => {
                review.unjudged(
                    ROWS[0],
                    format!("`{}` sets no user, and which one `{base}` sets is not known", self.path),
                );
            }
            Runs::Root => {
                let line = self.instructions("USER").last().map_or(last, |user| user.line);
                let said = if self.instructions("USER").next().is_some() {
                    "switches to root at last"
                } else {
                    "sets no user"
                };
                let finding = self.finding(
                    &rules::CONTAINER_RUNS_AS_ROOT,
                    format!("The image of `{}` {said}, so its container runs as root.", self.path),
                    line,
                );
                let drops = ["gosu", "su-exec", "setpriv", "runuser", "s6-setuidgid", "chpst"];
                let drops = self
                    .stages
                    .iter()
                    .flat_map(|stage| &stage.instructions)
                    .find_map(|one| drops.iter().find(|tool| has_word(&one.text, tool)));
                review.found(match drops {
                    // Its start script may well switch to a user.
                    Some(tool) => finding.level(Level::Low).fact(format!(
                        "`{tool}` is there, with which a start script may switch to another user."
                    )),
                    None => {
                        finding.mended_by("Add `RUN useradd --system app` and `USER app` to the last stage.")
                    }
                });
            }
        }
    }

    fn images(&self, review: &mut Review) {
        for stage in &self.file.stages {
            if let Base::Image(Some(image)) = &stage.base {
                let is_last = self.stages.last().is_some_and(|last| last.line == stage.line);
                self.one_image(image, stage.line, is_last, review);
            }
            for copy in stage.instructions.iter().filter(|one| one.name == "COPY") {
                let from = copy.flags.iter().find(|(name, _)| name == "from").map(|(_, from)| from.as_str());
                if let Some(image) = from.filter(|from| {
                    self.file.named(from).is_none()
                        && !from.contains('$')
                        && (from.contains('/') || from.contains(':'))
                }) {
                    self.one_image(image, copy.line, false, review);
                }
            }
        }
    }

    fn one_image(&self, image: &str, line: u32, is_last: bool, review: &mut Review) {
        if image.contains('@') {
            return;
        }
        let (name, tag) = reference(image);
        if tag.is_none_or(|tag| tag == "latest") {
            let message = format!("`{}` uses `{image}` without a version.", self.path);
            let finding = self.finding(&rules::IMAGE_WITHOUT_VERSION, message, line).part(name);
            let level = if is_last { finding.level } else { Level::Low };
            review.found(finding.level(level));
        } else {
            let message =
                format!("`{}` uses `{image}`, whose tag may point at another image tomorrow.", self.path);
            review.found(self.finding(&rules::IMAGE_NOT_PINNED, message, line).part(name));
        }
    }

    fn secrets(&self, review: &mut Review) {
        for stage in &self.file.stages {
            let is_left = self.stages.iter().any(|own| own.line == stage.line);
            for one in &stage.instructions {
                if !matches!(one.name.as_str(), "ENV" | "ARG") {
                    if let Some(what) = secret::known(&one.text) {
                        let message = format!("`{}` holds {what} in `{}`.", self.path, one.name);
                        let place = Place { file: self.path.to_owned(), line: Some(one.line) };
                        review.found(
                            Finding::new(&rules::SECRET_IN_IMAGE, self.path, message)
                                .part(format!("{} {what}", one.name))
                                .at(Some(place)),
                        );
                    }
                    continue;
                }
                for (name, value) in pairs(one) {
                    self.variable(one, &name, value.as_deref(), is_left, review);
                }
            }
        }
        for one in &self.file.arguments {
            for (name, value) in pairs(one) {
                self.variable(one, &name, value.as_deref(), false, review);
            }
        }
    }

    fn variable(
        &self,
        one: &Instruction,
        name: &str,
        value: Option<&str>,
        is_left: bool,
        review: &mut Review,
    ) {
        let what = match secret::judge(name, value.unwrap_or_default()) {
            Judged::Nothing => {
                if one.name == "ARG"
                    && value.is_none_or(str::is_empty)
                    && is_left
                    && secret::is_secret_name(name)
                {
                    let message = format!(
                        "`{}` takes `{name}` as a build argument, which the history of the image shows.",
                        self.path
                    );
                    review.found(self.finding(&rules::SECRET_BUILD_ARGUMENT, message, one.line).part(name));
                }
                return;
            }
            Judged::Written => WRITTEN,
            Judged::Secret(what) => what,
        };
        let message = format!("`{}` sets `{name}` to {what}.", self.path);
        let finding = self.finding(&rules::SECRET_IN_IMAGE, message, one.line).part(name);
        let level = match what {
            WRITTEN => finding.level.min(if is_left { Level::Medium } else { Level::Low }),
            "a random value" => finding.level,
            // A token is one, wherever it stands.
            _ => Level::High,
        };
        review.found(finding.level(level));
    }

    /// The folder that a build sees: what compose says, else the folder of a Dockerfile that lies at the top.
    fn context(&self) -> Option<String> {
        let contexts: BTreeSet<&str> =
            self.services.iter().filter_map(|service| service.context.as_deref()).collect();
        match contexts.into_iter().collect::<Vec<_>>().as_slice() {
            [one] => Some((*one).to_owned()),
            [] if folder_of(self.path).is_empty() => Some(String::new()),
            _ => None,
        }
    }

    fn environment_files(&self, review: &mut Review) {
        let context = self.context();
        for copy in self.instructions("COPY").chain(self.instructions("ADD")) {
            if copy.flags.iter().any(|(name, _)| name == "from") || copy.text.contains("<<") {
                continue;
            }
            for source in sources(&copy.text) {
                let source = source.trim_start_matches("./").trim_end_matches('/');
                if is_environment(name_of(source)) && !is_example(source) {
                    let message = format!("`{}` copies `{source}` into the image.", self.path);
                    review.found(
                        self.finding(&rules::ENVIRONMENT_FILE_IN_IMAGE, message, copy.line).part(source),
                    );
                } else if let Some(context) = &context {
                    self.copied_with_all(copy, source, context, review);
                }
            }
        }
    }

    /// `COPY . .` takes everything along that `.dockerignore` does not name.
    fn copied_with_all(&self, copy: &Instruction, source: &str, context: &str, review: &mut Review) {
        let ignored = [format!("{}.dockerignore", self.path), within(context, ".dockerignore")];
        let ignored = ignored.iter().find_map(|path| self.project.files.get(path)).map_or("", String::as_str);
        let source = if source == "." { "" } else { source };
        for (path, text) in &self.project.files {
            let Some(inner) = below(path, context) else { continue };
            let is_copied = source.is_empty() || below(inner, source).is_some();
            if !is_copied
                || !is_environment(name_of(inner))
                || is_example(inner)
                || is_aside(inner)
                || ignore::is_ignored(ignored, inner)
            {
                continue;
            }
            if environment::pairs(text).any(|(_, name, value)| secret::judge(name, value) != Judged::Nothing)
            {
                let message = format!(
                    "`{}` copies `{inner}` into the image together with its folder, and it holds secrets.",
                    self.path
                );
                review.found(self.finding(&rules::ENVIRONMENT_FILE_IN_IMAGE, message, copy.line).part(inner));
            }
        }
    }

    fn build_tools(&self, review: &mut Review) {
        if let (Some(image), Some(base)) = (self.image(), self.stages.last()) {
            let (name, tag) = reference(image.split('@').next().unwrap_or(image));
            let is_full =
                tag.is_none_or(|tag| !["slim", "alpine", "windows"].iter().any(|small| tag.contains(small)));
            if official(name) == Some("python") && is_full {
                let message = format!(
                    "`{}` begins with `{image}`, which brings compilers. A `-slim` image has none.",
                    self.path
                );
                review.found(self.finding(&rules::BUILD_TOOLS_IN_IMAGE, message, base.line).part(name));
            }
        }
        for run in self.instructions("RUN") {
            let removes = [
                "apt-get purge",
                "apt-get remove",
                "apt-get autoremove",
                "apt purge",
                "apt remove",
                "apk del",
                "dnf remove",
                "yum remove",
            ];
            let text = run.text.split_whitespace().collect::<Vec<_>>().join(" ");
            let text = text.replace("apt-get -y ", "apt-get ").replace("apt-get -qq ", "apt-get ");
            if removes.iter().any(|word| text.contains(word)) {
                continue;
            }
            let tools: BTreeSet<String> = commands(&run.text)
                .iter()
                .flat_map(|command| installed(command))
                .filter(|package| is_build_tool(package))
                .collect();
            if !tools.is_empty() {
                let tools: Vec<&str> = tools.iter().map(String::as_str).collect();
                let message = format!("`{}` leaves {} in the image.", self.path, listed(&tools));
                review.found(
                    self.finding(&rules::BUILD_TOOLS_IN_IMAGE, message, run.line).part(tools.join(" ")),
                );
            }
        }
    }

    fn development_packages(&self, review: &mut Review) {
        let variables = self.variables();
        let is_set = |name: &str| {
            variables.get(name).is_some_and(|value| {
                value.as_deref().is_some_and(|value| !matches!(value, "0" | "false" | ""))
            })
        };
        for (run, stage) in self.runs_whose_result_is_left() {
            let own: Vec<String> = stage
                .instructions
                .iter()
                .filter(|one| one.name == "ENV")
                .flat_map(pairs)
                .map(|(name, _)| name)
                .collect();
            let has = |name: &str| is_set(name) || own.iter().any(|one| one == name);
            for command in commands(&run.text) {
                let Some(what) = development(&command, self.has_development_group, &has) else { continue };
                let message = format!("`{}` installs packages for development: `{what}`.", self.path);
                review
                    .found(self.finding(&rules::DEVELOPMENT_PACKAGES_IN_IMAGE, message, run.line).part(what));
            }
        }
    }

    /// The commands of the image, and of stages from which an environment is copied into it.
    fn runs_whose_result_is_left(&self) -> Vec<(&'a Instruction, &'a Stage)> {
        let variables = self.variables();
        let mut stages: Vec<&Stage> = self.stages.clone();
        for copy in self.instructions("COPY") {
            let from = copy
                .flags
                .iter()
                .find(|(name, _)| name == "from")
                .and_then(|(_, from)| self.file.named(from));
            let Some(from) = from else { continue };
            let folder =
                from.instructions.iter().rfind(|one| one.name == "WORKDIR").map(|one| one.text.trim());
            let is_environment = sources(&copy.text).iter().any(|source| {
                let source = expand(source, &variables).unwrap_or_default();
                let source = source.trim_end_matches('/');
                ["venv", "site-packages", "lib/python"].iter().any(|part| source.contains(part))
                    || folder == Some(source)
            });
            if is_environment && !stages.iter().any(|stage| stage.line == from.line) {
                stages.push(from);
            }
        }
        stages
            .into_iter()
            .flat_map(|stage| {
                stage.instructions.iter().filter(|one| one.name == "RUN").map(move |run| (run, stage))
            })
            .collect()
    }

    fn health_check(&self, review: &mut Review) {
        let serves =
            ["CMD", "ENTRYPOINT", "EXPOSE"].iter().any(|name| self.instructions(name).next().is_some());
        let is_set = self
            .instructions("HEALTHCHECK")
            .last()
            .is_some_and(|check| !check.text.trim().eq_ignore_ascii_case("none"));
        if serves && !is_set && !self.services.iter().any(|service| service.has_health_check) {
            let line = self.stages.first().map_or(1, |stage| stage.line);
            let message = format!(
                "Neither `{}` nor a compose file says how to tell whether the app is well.",
                self.path
            );
            review.found(self.finding(&rules::NO_HEALTH_CHECK, message, line));
        }
    }

    /// What the container starts with, if the Dockerfile says so.
    fn command(&self) -> String {
        ["ENTRYPOINT", "CMD"]
            .iter()
            .filter_map(|name| self.instructions(name).last())
            .map(|one| one.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
}

/// A name without its tag, and the tag.
fn reference(image: &str) -> (&str, Option<&str>) {
    match image.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (image, None),
    }
}

/// The name of an official image of Docker, wherever a copy of it is taken from.
fn official(name: &str) -> Option<&str> {
    let short = [
        "docker.io/library/",
        "index.docker.io/library/",
        "public.ecr.aws/docker/library/",
        "mirror.gcr.io/library/",
        "docker.io/",
        "library/",
    ]
    .iter()
    .find_map(|start| name.strip_prefix(start))
    .unwrap_or(name);
    (!short.contains('/')).then_some(short)
}

/// Whether an image runs as root unless told otherwise; none if that is not known.
fn base_user(image: &str) -> Option<bool> {
    let (name, tag) = reference(image.split('@').next().unwrap_or(image));
    let tag = tag.unwrap_or_default();
    if let Some(name) = official(name) {
        let root = [
            "alpine",
            "amazonlinux",
            "bash",
            "buildpack-deps",
            "busybox",
            "debian",
            "fedora",
            "golang",
            "httpd",
            "nginx",
            "node",
            "oraclelinux",
            "pypy",
            "python",
            "rockylinux",
            "almalinux",
            "rust",
            "ubuntu",
            "caddy",
            "centos",
        ];
        return root.contains(&name).then_some(true);
    }
    if name.contains("/distroless/") {
        return Some(!tag.contains("nonroot"));
    }
    if name.contains("nonroot") || name.contains("chainguard/") || name.contains("unprivileged") {
        return Some(false);
    }
    let root = [
        "tiangolo/uvicorn-gunicorn",
        "tiangolo/uvicorn-gunicorn-fastapi",
        "tiangolo/uvicorn-gunicorn-starlette",
        "continuumio/miniconda3",
        "astral-sh/uv",
    ];
    root.iter().any(|known| name == *known || name.ends_with(&format!("/{known}"))).then_some(true)
}

/// Whether a Dockerfile is about a Python app.
fn is_python(file: &Dockerfile) -> bool {
    const WORDS: &[&str] = &[
        "python",
        "python3",
        "pip",
        "pip3",
        "uv",
        "uvicorn",
        "gunicorn",
        "hypercorn",
        "granian",
        "fastapi",
        "poetry",
        "pdm",
        "pipenv",
        "mantlet",
        "pypy",
    ];
    file.stages.iter().any(|stage| {
        matches!(&stage.base, Base::Image(Some(image)) if WORDS.iter().any(|word| has_word(image, word)))
            || stage.instructions.iter().any(|one| WORDS.iter().any(|word| has_word(&one.text, word)))
    })
}

/// A path within a folder; none if it is not in it.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}

/// What a `COPY` copies, in either of its forms.
fn sources(text: &str) -> Vec<String> {
    let mut all = serde_json::from_str::<Vec<String>>(text.trim()).unwrap_or_else(|_| words(text));
    all.pop();
    all
}

/// The commands of a `RUN`, each in words.
fn commands(text: &str) -> Vec<Vec<String>> {
    if let Ok(command) = serde_json::from_str::<Vec<String>>(text.trim()) {
        return vec![command];
    }
    text.replace("&&", "\n")
        .replace("||", "\n")
        .split([';', '\n', '|'])
        .map(words)
        .filter(|words| !words.is_empty())
        .collect()
}

/// The system packages that a command installs.
fn installed(command: &[String]) -> Vec<String> {
    let Some(tool) = command.iter().position(|word| {
        matches!(name_of(word), "apt-get" | "apt" | "apk" | "dnf" | "yum" | "microdnf" | "aptitude")
    }) else {
        return Vec::new();
    };
    let rest = command.get(tool + 1..).unwrap_or_default();
    let Some(verb) = rest.iter().position(|word| matches!(word.as_str(), "install" | "add")) else {
        return Vec::new();
    };
    rest.get(verb + 1..)
        .unwrap_or_default()
        .iter()
        .filter(|word| !word.starts_with('-') && !word.contains('$'))
        .filter_map(|word| word.split(['=', '~', '<', '>']).next())
        .map(str::to_owned)
        .collect()
}

fn is_build_tool(package: &str) -> bool {
    const TOOLS: &[&str] = &[
        "gcc",
        "g++",
        "clang",
        "make",
        "cmake",
        "build-essential",
        "build-base",
        "cargo",
        "rustc",
        "gfortran",
        "golang",
        "gcc-c++",
        "autoconf",
        "automake",
        "meson",
        "ninja-build",
    ];
    TOOLS.contains(&package)
        || (package.len() > 4 && (package.ends_with("-dev") || package.ends_with("-devel")))
}

/// What of a command installs packages for development, if it does.
fn development(command: &[String], has_group: bool, is_set: &impl Fn(&str) -> bool) -> Option<String> {
    let has = |word: &str| command.iter().any(|own| own == word);
    let starts = |start: &str| command.iter().any(|own| own.starts_with(start));
    let tool = command
        .iter()
        .position(|word| matches!(name_of(word), "uv" | "poetry" | "pdm" | "pipenv" | "pip" | "pip3"))?;
    let verb = command.get(tool + 1..)?.iter().find(|word| !word.starts_with('-')).map(String::as_str)?;
    let shown = |words: &[&str]| Some(words.join(" "));
    match (name_of(command.get(tool)?), verb) {
        ("uv", "sync") => {
            let leaves_out = has("--no-dev")
                || has("--no-default-groups")
                || starts("--only-group")
                || is_set("UV_NO_DEV")
                || is_set("UV_NO_DEFAULT_GROUPS");
            (has_group && !leaves_out).then(|| "uv sync".to_owned())
        }
        ("poetry", "install" | "sync") => {
            let leaves_out = has("--no-dev")
                || has("--without")
                || starts("--without=")
                || has("--only")
                || starts("--only=")
                || has("--only-root")
                || is_set("POETRY_WITHOUT")
                || is_set("POETRY_INSTALL_WITHOUT");
            (has_group && !leaves_out).then(|| format!("poetry {verb}"))
        }
        ("pdm", "install" | "sync") => {
            let leaves_out =
                has("--prod") || has("--production") || has("--no-default") || is_set("PDM_PROD");
            (has_group && !leaves_out).then(|| format!("pdm {verb}"))
        }
        ("pipenv", "install" | "sync") => {
            (has("--dev") || has("-d")).then_some(()).and(shown(&["pipenv", verb, "--dev"]))
        }
        ("pip" | "pip3", "install") => {
            let file = command.iter().find(|word| {
                super::files::is_requirements(word) && super::manifest::is_for_development(word)
            })?;
            let words: BTreeSet<&str> =
                name_of(file).split(|letter: char| !letter.is_ascii_alphanumeric()).collect();
            ["dev", "develop", "development", "test", "tests", "testing", "lint"]
                .iter()
                .any(|word| words.contains(word))
                .then(|| format!("pip install -r {file}"))
        }
        _ => None,
    }
}

/// Whether a path is a compose file that is not set aside.
fn is_own_compose(path: &str) -> bool {
    is_compose(name_of(path)) && !is_aside(path)
}
