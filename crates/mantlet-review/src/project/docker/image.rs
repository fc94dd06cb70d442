//! One Dockerfile, and what is wrong with it.

use std::collections::BTreeSet;

use super::{
    ROWS,
    base::{base_user, official, reference},
    command::{commands, development, installed, is_build_tool, sources},
    compose::Service,
    parse::{Base, Dockerfile, Instruction, Stage, Variables, expand, pairs},
};
use crate::{
    finding::{Finding, Place},
    project::{
        Project,
        files::{is_for_development, name_of},
        locks::Dependencies,
        manifest::Need,
        text::{has_word, listed},
    },
    review::Review,
    rule::{Level, Rule, project as rules},
};

/// One Dockerfile and what is known of it.
pub(super) struct Image<'a> {
    pub(super) project: &'a Project,
    pub(super) path: &'a str,
    pub(super) file: &'a Dockerfile,
    /// The last stage, and those that it begins with, the last first.
    pub(super) stages: Vec<&'a Stage>,
    /// Services of compose files that build it.
    pub(super) services: Vec<&'a Service>,
    pub(super) has_development_group: bool,
    /// It is not for the app, or not for production: nothing about it is more than a hint.
    pub(super) is_aside: bool,
}

/// How certain it is who the container runs as.
enum Runs {
    Root,
    User,
    Unknown(String),
}

impl<'a> Image<'a> {
    pub(super) fn of(
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

    pub(super) fn review(&self, review: &mut Review) {
        self.user(review);
        self.images(review);
        self.secrets(review);
        self.environment_files(review);
        self.build_tools(review);
        self.development_packages(review);
        self.health_check(review);
    }

    pub(super) fn finding(&self, rule: &'static Rule, message: String, line: u32) -> Finding {
        let place = Place { file: self.path.to_owned(), line: Some(line) };
        let finding = Finding::new(rule, self.path, message).at(Some(place));
        let level = if self.is_aside { finding.level.min(Level::Low) } else { finding.level };
        finding.level(level)
    }

    /// The instructions of the image with a name, in the order in which they run.
    pub(super) fn instructions(&self, name: &'a str) -> impl Iterator<Item = &'a Instruction> {
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
        let mut stages = self.stages.clone();
        stages.extend(self.stages_copied(|source| {
            ["venv", "site-packages", "lib/python"].iter().any(|part| source.contains(part))
        }));
        let runs = |stage: &'a Stage| stage.instructions.iter().filter(|one| one.name == "RUN");
        stages.into_iter().flat_map(|stage| runs(stage).map(move |run| (run, stage))).collect()
    }

    /// Stages from which their working folder is copied into the image, or something else that counts.
    pub(super) fn stages_copied(&self, counts: impl Fn(&str) -> bool) -> Vec<&'a Stage> {
        let variables = self.variables();
        let mut stages: Vec<&Stage> = Vec::new();
        for copy in self.instructions("COPY") {
            let from = copy.flags.iter().find(|(name, _)| name == "from");
            let Some(from) = from.and_then(|(_, from)| self.file.named(from)) else { continue };
            let folder = from
                .iter()
                .find_map(|stage| stage.instructions.iter().rfind(|one| one.name == "WORKDIR"))
                .map(|one| one.text.trim().trim_end_matches('/'));
            let is_left = sources(&copy.text).iter().any(|source| {
                let source = expand(source, &variables).unwrap_or_default();
                let source = source.trim_end_matches('/');
                counts(source) || folder == Some(source)
            });
            if is_left {
                let is_new =
                    |stage: &&Stage| !self.stages.iter().chain(&stages).any(|other| other.line == stage.line);
                let new: Vec<&Stage> = from.into_iter().filter(is_new).collect();
                stages.extend(new);
            }
        }
        stages
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
    pub(super) fn command(&self) -> String {
        ["ENTRYPOINT", "CMD"]
            .iter()
            .filter_map(|name| self.instructions(name).last())
            .map(|one| one.text.as_str())
            .collect::<Vec<_>>()
            .join(" ")
    }
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
