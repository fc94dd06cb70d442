//! The controls that examine a body while it streams to the app.

use std::sync::Arc;

use http::{HeaderMap, header};
use mantlet_contract::{model::BodyKind, multipart::FormType};

use crate::{
    Call, Mode, Reason,
    encoding::{self, Encoded, Inflate, Within},
    message::{Findings, Observer, media_type::is_multipart},
    route::RoutePolicy,
    uploads::FormWatch,
};

/// Looks at a body that is compressed, or a form, or both.
#[derive(Debug)]
pub(crate) struct Watch {
    /// The inflated body.
    inflate: Option<Inflate>,
    /// The body as it came.
    form: Option<FormWatch>,
    verdict: Option<Reason>,
}

/// Whether a body is one to be watched. The only price of other requests.
pub(crate) fn concerns(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING) || is_multipart(headers)
}

impl Watch {
    /// Begins to watch a request's body, if it is one to be watched.
    pub(crate) fn begin(
        call: &Call,
        settings: &RoutePolicy,
        headers: &HeaderMap,
        findings: &Arc<Findings>,
    ) -> Result<Option<Self>, Reason> {
        let encoded = encoding::of(headers);
        let content_type = headers.get(header::CONTENT_TYPE).filter(|_| settings.uploads.mode != Mode::Off);
        let form_type = content_type.and_then(|value| FormType::of(value.as_bytes()));
        let coding = match encoded {
            Encoded::As(coding) if settings.encoding.mode != Mode::Off => Some(coding),
            Encoded::Not | Encoded::As(_) => None,
            Encoded::Unreadable => {
                let policy = &settings.encoding;
                findings.note(
                    Reason::ContentEncodingUnsupported,
                    policy.unreadable(),
                    policy.mode,
                    "the coding",
                )?;
                None
            }
        };
        let reader = reader(call, settings);
        let form = form_type.map(|form_type| {
            let certain = reader != Reader::Unknown;
            FormWatch::begin(&form_type, Arc::clone(&settings.uploads), certain, Arc::clone(findings))
        });
        let form = form.transpose()?;
        let is_read_as_it_comes = encoded == Encoded::Not || reader == Reader::FastApi;
        let (form, within) = match form {
            Some(form) if is_read_as_it_comes => (Some(form), None),
            Some(form) if coding.is_none() => {
                form.is_unseen()?;
                (None, None)
            }
            within => (None, within),
        };
        let most = settings.body_size.of(call.operation.as_ref());
        let inflate = coding.map(|coding| {
            let within = within.map(|form| Box::new(form) as Box<dyn Within>);
            Inflate::begin(coding, most, Arc::clone(&settings.encoding), within, Arc::clone(findings))
        });
        let inflate = inflate.transpose()?;
        if inflate.is_none() && form.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { inflate, form, verdict: None }))
    }

    fn ask(
        &mut self,
        inflate: impl FnOnce(&mut Inflate) -> Result<(), Reason>,
        form: impl FnOnce(&mut FormWatch) -> Result<(), Reason>,
    ) -> Result<(), Reason> {
        let seen = self
            .verdict
            .map_or(Ok(()), Err)
            .and_then(|()| self.inflate.as_mut().map_or(Ok(()), inflate))
            .and_then(|()| self.form.as_mut().map_or(Ok(()), form));
        self.verdict = seen.err();
        seen
    }
}

impl Observer for Watch {
    fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        self.ask(|inflate| inflate.see(data), |form| form.see(data))
    }

    fn end(&mut self) -> Result<(), Reason> {
        self.ask(Inflate::end, FormWatch::end)
    }
}

/// A compressed body may be a form inside.
impl Within for FormWatch {
    fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        Self::see(self, data)
    }

    fn end(&mut self) -> Result<(), Reason> {
        Self::end(self)
    }

    fn give_up(&self) -> Result<(), Reason> {
        Self::give_up(self)
    }

    fn is_unseen(&self) -> Result<(), Reason> {
        Self::is_unseen(self)
    }
}

/// Which code reads a body as a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// None, or code that has not been examined.
    Unknown,
    /// FastAPI in the end; code of the app may inflate the body before.
    Behind,
    /// FastAPI, as it comes: it ignores a Content-Encoding.
    FastApi,
}

fn reader(call: &Call, settings: &RoutePolicy) -> Reader {
    let Some(matched) = &call.operation else { return Reader::Unknown };
    let operation = matched.route.operation.as_ref();
    let is_form = operation.is_some_and(|one| matches!(one.body, BodyKind::Form { .. }));
    if !is_form || matched.unsure || !matched.contract.counts(&settings.rules) {
        Reader::Unknown
    } else if matched.contract.is_exact() && !matched.route.rewrites {
        Reader::FastApi
    } else {
        // A document does not say what else the app does.
        Reader::Behind
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
