//! Path templates and methods, as a configuration names them.

use http::Method;

/// A method as people write it: HTTP methods are upper case, and FastAPI also accepts `get`.
pub(crate) fn method(name: &str) -> Option<Method> {
    Method::from_bytes(name.to_ascii_uppercase().as_bytes()).ok()
}

/// The method that handles a HEAD request without a route of its own: settings for GET apply to
/// HEAD, too.
pub(crate) fn as_get(method: &Method) -> Option<&'static Method> {
    (*method == Method::HEAD).then_some(&Method::GET)
}

/// Methods as people write them; `None` if one of them is not a method.
pub(crate) fn methods(names: &[String]) -> Option<Vec<Method>> {
    names.iter().map(|name| method(name)).collect()
}

/// What a template of the router matches where its last part is empty. FastAPI's `{name:path}` may be, and
/// the router's may not.
pub(crate) fn with_empty_rest(template: &str) -> Option<&str> {
    template.get(..template.rfind("{*")?)
}

/// A template without the names of its parameters: two of the same shape match the same paths.
pub(crate) fn shape(path: &str) -> String {
    let template = template(path);
    let segments = template.split('/').map(|segment| match segment.strip_prefix('{') {
        Some(rest) if rest.starts_with('*') => "{*}",
        Some(rest) if rest.ends_with('}') => "{}",
        _ => segment,
    });
    segments.collect::<Vec<_>>().join("/")
}

/// FastAPI's `{name:path}` as the router writes it: `{*name}`; other converters (`{id:int}`) match
/// any segment.
pub(crate) fn template(path: &str) -> String {
    let segments: Vec<String> = path
        .split('/')
        .map(|segment| {
            let Some(name) = segment.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')) else {
                return segment.to_owned();
            };
            match name.split_once(':') {
                Some((name, "path")) => format!("{{*{name}}}"),
                Some((name, _)) => format!("{{{name}}}"),
                None => segment.to_owned(),
            }
        })
        .collect();
    segments.join("/")
}
