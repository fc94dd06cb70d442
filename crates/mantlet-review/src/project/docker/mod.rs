//! Images and containers: Dockerfiles and compose files.
//!
//! Of a Dockerfile with several stages, the last one and those it begins with are in the image. What an earlier
//! stage does counts only where its result is copied.

use self::{compose::Service, image::Image, parse::Dockerfile};
use super::{
    Project,
    files::{is_aside, is_dockerfile, name_of},
    locks::Dependencies,
};
use crate::{
    review::{Review, Row},
    rule::{Owasp, Practice},
};

mod base;
mod command;
mod compose;
mod ignore;
mod image;
mod parse;
mod secrets;

/// A value that may be a secret, by the name of its variable.
const WRITTEN: &str = "a value that is not a placeholder";
/// A value that everybody knows.
const DEFAULT: &str = "a value that is a placeholder or known to everybody";
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
        for (what, count) in [("Dockerfiles", files.len()), ("services of compose files", services.len())] {
            if count > 0 {
                review.looked(row, what, count);
            }
        }
    }
    review.looked(Row::Practice(Practice::Tokens), "Dockerfiles and services", files.len() + services.len());
    for (path, file) in &files {
        let built: Vec<&Service> = services.iter().filter(|service| service.builds(path)).collect();
        let image = Image::of(project, path, file, built, dependencies);
        image.review(review);
    }
    compose::review(project, &services, &files, review);
}
