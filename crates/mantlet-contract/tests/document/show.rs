//! A contract in few words, so that a test is its data.

use mantlet_contract::model::{
    BodyKind, Bounds, Contract, Extra, Input, Location, Object, Operation, Route, Sequence, Shape, ShapeId,
    Take,
};

/// A shape in one line: `{id!: int, tags: [str], +any}`, `?` for nullable, `~` where the app decides the rest.
pub(crate) fn shape(contract: &Contract, id: ShapeId) -> String {
    deep(contract, id, &mut Vec::new())
}

fn deep(contract: &Contract, id: ShapeId, above: &mut Vec<ShapeId>) -> String {
    if above.contains(&id) {
        return "^".to_owned();
    }
    above.push(id);
    let mut inner = |id: ShapeId| deep(contract, id, above);
    let shown = match &contract.shapes[id.0 as usize] {
        Shape::Opaque { .. } => "opaque".to_owned(),
        Shape::Any => "any".to_owned(),
        Shape::None => "none".to_owned(),
        Shape::Bool { .. } => "bool".to_owned(),
        Shape::Int { bounds: limits, .. } => format!("int{}", bounds(limits)),
        Shape::Float { bounds: limits, .. } => format!("float{}", bounds(limits)),
        Shape::Str { min_length, max_length, pattern, .. } => {
            format!(
                "str{}{}",
                lengths(*min_length, *max_length),
                pattern.as_ref().map_or_else(String::new, |it| format!("/{it}/"))
            )
        }
        Shape::Bytes { .. } => "bytes".to_owned(),
        Shape::Date { .. } => "date".to_owned(),
        Shape::Time { .. } => "time".to_owned(),
        Shape::Datetime { .. } => "datetime".to_owned(),
        Shape::Timedelta { .. } => "timedelta".to_owned(),
        Shape::Uuid { .. } => "uuid".to_owned(),
        Shape::Ip { of } => of.clone(),
        Shape::Literal { expected } => format!("literal{}", serde_json::to_string(expected).unwrap()),
        Shape::Enum { values, .. } => format!("enum{}", serde_json::to_string(values).unwrap()),
        Shape::List(list) => format!("[{}]", sequence(list, inner)),
        Shape::Set(set) => format!("set[{}]", sequence(set, inner)),
        Shape::Tuple { items, variadic, .. } => {
            let items: Vec<_> = items.iter().map(|item| inner(*item)).collect();
            format!("({}{})", items.join(", "), if variadic.is_some() { "..." } else { "" })
        }
        Shape::Dict { keys, values, min_length, max_length, .. } => {
            format!("dict[{}: {}]{}", inner(*keys), inner(*values), lengths(*min_length, *max_length))
        }
        Shape::Object(object) => fields(object, inner),
        Shape::Nullable { inner: of } => format!("?{}", inner(*of)),
        Shape::WithDefault { inner: of } => inner(*of),
        Shape::Union { choices, .. } => {
            let choices: Vec<_> = choices.iter().map(|choice| inner(*choice)).collect();
            format!("({})", choices.join(" | "))
        }
        Shape::TaggedUnion { discriminator, choices, .. } => {
            let choices: Vec<_> =
                choices.iter().map(|(tag, id)| format!("{tag} => {}", inner(*id))).collect();
            format!("{}({})", discriminator.join("."), choices.join(" | "))
        }
        Shape::JsonText { inner: of } => format!("json({})", of.map_or_else(|| "any".to_owned(), inner)),
        Shape::Then { inner: of, .. } => format!("{}~", inner(*of)),
        other => panic!("the reader makes no {other:?}"),
    };
    above.pop();
    shown
}

fn bounds(bounds: &Bounds) -> String {
    let all = [
        (">", &bounds.gt),
        (">=", &bounds.ge),
        ("<", &bounds.lt),
        ("<=", &bounds.le),
        ("%", &bounds.multiple_of),
    ];
    all.iter().filter_map(|(sign, value)| Some(format!("{sign}{}", value.as_ref()?))).collect()
}

fn lengths(least: Option<u64>, most: Option<u64>) -> String {
    match (least, most) {
        (None, None) => String::new(),
        (least, most) => {
            let shown = |length: Option<u64>| length.map_or_else(String::new, |length| length.to_string());
            format!("#{}..{}", shown(least), shown(most))
        }
    }
}

fn sequence(sequence: &Sequence, inner: impl FnMut(ShapeId) -> String) -> String {
    let items = sequence.items.map_or_else(|| "any".to_owned(), inner);
    format!("{items}{}", lengths(sequence.min_length, sequence.max_length))
}

fn fields(object: &Object, mut inner: impl FnMut(ShapeId) -> String) -> String {
    let mut all: Vec<_> = object
        .fields
        .iter()
        .map(|field| {
            format!("{}{}: {}", field.name, if field.required { "!" } else { "" }, inner(field.shape))
        })
        .collect();
    match (object.extra, object.extras) {
        (Extra::Allow, Some(extras)) => all.push(format!("+{}", inner(extras))),
        (Extra::Allow, None) => all.push("+any".to_owned()),
        (Extra::Ignore, _) => all.push("-".to_owned()),
        (Extra::Forbid, _) => {}
    }
    format!("{{{}}}", all.join(", "))
}

/// Every route: `GET /items/{id}`, with `(unjudged)` if nothing is known of it.
pub(crate) fn routes(contract: &Contract) -> Vec<String> {
    contract
        .router
        .routes
        .iter()
        .map(|route| match route {
            Route::Http { path, methods, operation, .. } => {
                format!(
                    "{} {path}{}",
                    methods.join(","),
                    if operation.is_some() { "" } else { " (unjudged)" }
                )
            }
            Route::Opaque { .. } => "opaque".to_owned(),
            other => panic!("the reader makes no {other:?}"),
        })
        .collect()
}

pub(crate) fn operations(contract: &Contract) -> impl Iterator<Item = (&str, &str, &Operation)> {
    contract.router.routes.iter().filter_map(|route| match route {
        Route::Http { path, methods, operation: Some(operation), .. } => {
            Some((methods[0].as_str(), path.as_str(), operation.as_ref()))
        }
        _ => None,
    })
}

/// Every input: `query tags*! [str]`, `*` for several values.
pub(crate) fn inputs(contract: &Contract, operation: &Operation) -> Vec<String> {
    operation.inputs.iter().map(|input| self::input(contract, input)).collect()
}

fn input(contract: &Contract, input: &Input) -> String {
    let location = match input.location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Header => "header",
        Location::Cookie => "cookie",
        Location::Body => "body",
    };
    let taken = match &input.take {
        Take::Field { names, multiple, .. } => {
            format!(" {}{}", names.join(","), if *multiple { "*" } else { "" })
        }
        Take::Group { fields, .. } => {
            let fields = fields.iter().filter(|field| field.multiple || field.file);
            let fields: Vec<_> = fields
                .map(|field| {
                    format!(
                        "{}{}{}",
                        field.names[0].1,
                        if field.file { "@" } else { "" },
                        if field.multiple { "*" } else { "" }
                    )
                })
                .collect();
            if fields.is_empty() { String::new() } else { format!(" {}", fields.join(",")) }
        }
        Take::Whole => String::new(),
    };
    format!("{location}{taken}{} {}", if input.required { "!" } else { "" }, shape(contract, input.shape))
}

pub(crate) fn body(operation: &Operation) -> &'static str {
    match operation.body {
        BodyKind::None => "none",
        BodyKind::Opaque => "opaque",
        BodyKind::Json { .. } => "json",
        BodyKind::Form { files: false } => "form",
        BodyKind::Form { files: true } => "files",
    }
}
