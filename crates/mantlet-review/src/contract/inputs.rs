//! How much a client may ask for (API4).

use std::collections::BTreeSet;

use mantlet_contract::model::{BodyKind, Input, Location, Shape, ShapeId, Take};

use crate::{
    facts::{App, Located, looked},
    finding::Finding,
    review::{Review, Row},
    rule::{Level, Owasp, Practice, api},
};

/// The size of a body below which texts need no maximum of their own.
const SMALL: u64 = 1 << 20;
/// Shapes of one input that are looked at.
const MOST: usize = 500;
/// Names of parameters that say how many rows are read.
const COUNTS: [&str; 12] = [
    "limit",
    "size",
    "pagesize",
    "perpage",
    "count",
    "top",
    "first",
    "take",
    "maxresults",
    "numresults",
    "pagelimit",
    "batchsize",
];

pub(super) fn review(app: &App<'_>, review: &mut Review) {
    let (mut pages, mut uploads) = (0, 0);
    for one in &app.operations {
        pages += page_sizes(app, one, review);
        uploads += usize::from(upload(app, one, review));
        texts(app, one, review);
    }
    looked(review, Owasp::Api4, "operations", app.operations.len());
    review.looked(Row::Practice(Practice::Uploads), "operations that take files", uploads);
    review.looked(Row::Practice(Practice::Limits), "parameters that say how many", pages);
    if uploads == 0 {
        review.unjudged(Row::Practice(Practice::Uploads), "no operation takes files");
    }
}

/// Parameters that say how many rows are read, and have no maximum.
fn page_sizes(app: &App<'_>, one: &Located<'_>, review: &mut Review) -> usize {
    let bounds = one.code().map(|code| code.bounds.as_slice()).unwrap_or_default();
    let mut seen = 0;
    for input in one.operation.inputs.iter().filter(|input| input.location == Location::Query) {
        for (name, shape) in fields(app, input) {
            let shown = bounds.iter().any(|bound| bound.rsplit('.').next() == Some(name.as_str()));
            let plain: String = name.to_lowercase().chars().filter(char::is_ascii_alphanumeric).collect();
            let named = COUNTS.contains(&plain.as_str());
            if !(shown || named) || !is_int(app, shape) {
                continue;
            }
            seen += 1;
            if has_maximum(app, shape) {
                continue;
            }
            // Code that was understood, and does not read so many rows, says that the name means something else.
            let level = match (shown, one.whole_code()) {
                (true, _) if one.is_restricted() => Level::Low,
                (true, _) => Level::Medium,
                (false, Some(code)) if code.touches.is_empty() => continue,
                (false, _) => Level::Low,
            };
            let message = format!("`{name}` of {} has no maximum", one.name());
            let finding =
                Finding::new(&api::UNBOUNDED_PAGE, one.name(), message).part(format!("parameter {name}"));
            let finding = finding.at(one.place()).level(level);
            let finding = finding.fact(if shown { "so many rows are read" } else { "its name says so" });
            review.found(
                finding
                    .mended_by(format!("Declare a maximum: `{name}: Annotated[int, Query(ge=1, le=100)]`.")),
            );
        }
    }
    seen
}

/// The names of an input, with the shape of each.
fn fields(app: &App<'_>, input: &Input) -> Vec<(String, ShapeId)> {
    match &input.take {
        Take::Field { names, .. } => {
            names.first().map(|name| (name.clone(), input.shape)).into_iter().collect()
        }
        Take::Group { .. } => match inner(app, input.shape) {
            Some(Shape::Object(object)) => {
                object.fields.iter().map(|field| (field.name.clone(), field.shape)).collect()
            }
            _ => Vec::new(),
        },
        Take::Whole => Vec::new(),
    }
}

/// A shape without what stands around it.
fn inner<'a>(app: &'a App<'_>, mut id: ShapeId) -> Option<&'a Shape> {
    for _ in 0..8 {
        let found = shape(app, id)?;
        match found {
            Shape::Nullable { inner } | Shape::WithDefault { inner } | Shape::Then { inner, .. } => {
                id = *inner;
            }
            _ => return Some(found),
        }
    }
    None
}

fn shape<'a>(app: &'a App<'_>, id: ShapeId) -> Option<&'a Shape> {
    app.facts.contract.shapes.get(usize::try_from(id.0).ok()?)
}

fn is_int(app: &App<'_>, id: ShapeId) -> bool {
    matches!(inner(app, id), Some(Shape::Int { .. }))
}

fn has_maximum(app: &App<'_>, id: ShapeId) -> bool {
    let mut id = id;
    for _ in 0..8 {
        match shape(app, id) {
            Some(Shape::Int { bounds, .. }) => return bounds.le.is_some() || bounds.lt.is_some(),
            Some(Shape::Nullable { inner } | Shape::WithDefault { inner }) => id = *inner,
            // Code decides.
            _ => return true,
        }
    }
    true
}

/// Files of any size. -> whether it takes files
fn upload(app: &App<'_>, one: &Located<'_>, review: &mut Review) -> bool {
    if one.operation.body != (BodyKind::Form { files: true }) {
        return false;
    }
    let measured = one.code().is_none_or(|code| {
        let inputs = one.operation.inputs.iter().filter(|input| input.location == Location::Body);
        let mut names = inputs.flat_map(|input| input.take.names());
        code.partial || names.any(|name| code.measured.iter().any(|one| one == name))
    });
    if measured || app.limits_files(one) || one.operation.refuses_first.is_some() || one.is_guarded {
        return true;
    }
    let message = format!("{} takes files of any size", one.name());
    let finding = Finding::new(&api::UPLOAD_WITHOUT_LIMIT, one.name(), message).at(one.place());
    review.found(finding.closed_by(format!(
        "[[route]]\npath = \"{}\"\nmethods = [{}]\nuploads.file-size = \"10 MiB\"",
        one.path,
        one.methods.iter().map(|method| format!("\"{method}\"")).collect::<Vec<_>>().join(", "),
    )));
    true
}

/// Texts and lists in bodies without a maximum.
fn texts(app: &App<'_>, one: &Located<'_>, review: &mut Review) {
    if app.largest_body(one).is_some_and(|largest| largest <= SMALL) {
        return;
    }
    let mut names = BTreeSet::new();
    for input in one.operation.inputs.iter().filter(|input| input.location == Location::Body) {
        let own = input.take.names().next().unwrap_or("body").to_owned();
        unbounded(app, input.shape, &own, &mut names);
    }
    if names.is_empty() {
        return;
    }
    let told: Vec<_> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
    let rest = if names.len() > told.len() {
        format!(" and {} more", names.len() - told.len())
    } else {
        String::new()
    };
    let message = format!("{}{rest} of {} have no maximum", told.join(", "), one.name());
    let finding = Finding::new(&api::UNBOUNDED_INPUT, one.name(), message).at(one.place());
    review.found(
        finding.closed_by(format!("[[route]]\npath = \"{}\"\nlimits.body-size = \"1 MiB\"", one.path)),
    );
}

fn unbounded(app: &App<'_>, id: ShapeId, name: &str, names: &mut BTreeSet<String>) {
    let (mut waiting, mut seen) = (vec![(id, name.to_owned())], BTreeSet::new());
    while let Some((id, name)) = waiting.pop() {
        if !seen.insert(id.0) || seen.len() > MOST {
            continue;
        }
        match shape(app, id) {
            Some(
                Shape::Str { max_length: None, pattern: None, .. } | Shape::Bytes { max_length: None, .. },
            ) => {
                names.insert(name);
            }
            Some(Shape::List(list) | Shape::Set(list) | Shape::FrozenSet(list)) => {
                if list.max_length.is_none() {
                    names.insert(name.clone());
                }
                waiting.extend(list.items.map(|item| (item, name)));
            }
            Some(Shape::Object(object)) => {
                waiting.extend(object.fields.iter().map(|field| (field.shape, field.name.clone())));
            }
            Some(Shape::Nullable { inner } | Shape::WithDefault { inner }) => waiting.push((*inner, name)),
            Some(Shape::Union { choices, .. }) => {
                waiting.extend(choices.iter().map(|choice| (*choice, name.clone())));
            }
            _ => {}
        }
    }
}
