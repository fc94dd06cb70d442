//! What every page is made from: the settings, and what its request says.

use http::Uri;
use mantlet_accounts::Secret;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::{Settings, form};

/// Where a page is shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) settings: &'p Settings,
    pub(crate) is_logged_in: bool,
}

impl Settings {
    /// The path of a page.
    pub(crate) fn at(&self, page: &str) -> String {
        format!("{}{page}", self.path)
    }

    /// The path of a page with one value in its query.
    pub(crate) fn with(&self, page: &str, name: &str, value: &str) -> String {
        format!("{}{page}?{name}={}", self.path, utf8_percent_encode(value, NON_ALPHANUMERIC))
    }
}

/// The query of a target; none if it is not one that our pages make.
pub(crate) fn query(uri: &Uri) -> form::Form {
    form::read(uri.query().unwrap_or_default().as_bytes()).unwrap_or_default()
}

/// A value that is there and not empty.
pub(crate) fn filled(form: &form::Form, name: &str) -> Option<Secret<String>> {
    form.secret(name).filter(|value| !value.expose().is_empty())
}
