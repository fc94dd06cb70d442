//! Secrets that get into an image.

use std::collections::BTreeSet;

use super::{
    DEFAULT, WRITTEN,
    command::sources,
    ignore,
    image::Image,
    parse::{Instruction, pairs},
};
use crate::{
    finding::{Finding, Place},
    project::{
        environment::{self, is_environment, is_example},
        files::{folder_of, is_aside, name_of, within},
    },
    review::Review,
    rule::{Level, project as rules},
    secret::{self, Judged},
};

impl Image<'_> {
    pub(super) fn secrets(&self, review: &mut Review) {
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
            // An image with it runs with it, unless someone thinks of another one. Only `ENV` stays set.
            Judged::Default if is_left && one.name == "ENV" => DEFAULT,
            Judged::Default => return,
            Judged::Written => WRITTEN,
            Judged::Secret(what) => what,
        };
        let message = format!("`{}` sets `{name}` to {what}.", self.path);
        let finding = self.finding(&rules::SECRET_IN_IMAGE, message, one.line).part(name);
        let level = match what {
            DEFAULT => Level::Low,
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

    pub(super) fn environment_files(&self, review: &mut Review) {
        let context = self.context();
        let mut stages = self.stages.clone();
        stages.extend(self.stages_copied(|_| false));
        let instructions = stages.iter().flat_map(|stage| &stage.instructions);
        for copy in instructions.filter(|one| matches!(one.name.as_str(), "COPY" | "ADD")) {
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
            if environment::pairs(text).any(|(_, name, value)| secret::judge(name, value) > Judged::Default) {
                let message = format!(
                    "`{}` copies `{inner}` into the image together with its folder, and it holds secrets.",
                    self.path
                );
                review.found(self.finding(&rules::ENVIRONMENT_FILE_IN_IMAGE, message, copy.line).part(inner));
            }
        }
    }
}

/// A path within a folder; none if it is not in it.
fn below<'a>(path: &'a str, folder: &str) -> Option<&'a str> {
    if folder.is_empty() { Some(path) } else { path.strip_prefix(folder)?.strip_prefix('/') }
}
