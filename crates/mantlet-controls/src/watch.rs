//! Whoever looks at a body while it streams to the app.

use std::{
    mem,
    sync::{Arc, Mutex, PoisonError},
};

use http::{HeaderMap, header};
use mantlet_contract::{model::BodyKind, multipart::FormType};

use crate::{
    Call, Mode, Reason,
    encoding::{self, Encoded, Inflate},
    media_type::MediaType,
    uploads::FormWatch,
};

/// What was seen in a body, for whoever writes the record.
#[derive(Debug, Default)]
pub(crate) struct Findings(Mutex<Vec<Finding>>);

/// One thing that was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) reason: Reason,
    /// `enforce`: the body broke off for it.
    pub(crate) mode: Mode,
    /// It is tolerated by posture, and so news only once for a route.
    pub(crate) tolerated: bool,
    /// In a few words.
    pub(crate) what: &'static str,
}

impl Findings {
    /// Notes something in the mode that it counts in; `control` is that of the control.
    pub(crate) fn note(
        &self,
        reason: Reason,
        mode: Mode,
        control: Mode,
        what: &'static str,
    ) -> Result<(), Reason> {
        if mode == Mode::Off {
            return Ok(());
        }
        let finding = Finding { reason, mode, tolerated: mode != control, what };
        let mut found = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        // There are only so many.
        if !found.contains(&finding) {
            found.push(finding);
        }
        if mode == Mode::Enforce { Err(reason) } else { Ok(()) }
    }

    /// All that was seen so far.
    pub(crate) fn take(&self) -> Vec<Finding> {
        mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Sees each piece of a body before the app does.
#[derive(Debug)]
pub(crate) struct Watch {
    /// What it becomes when it is inflated.
    inflate: Option<Inflate>,
    /// What it is as it comes.
    form: Option<FormWatch>,
    verdict: Option<Reason>,
}

/// Whether a body is one to be watched. The only price of other requests.
pub(crate) fn concerns(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING) || is_multipart(headers)
}

/// Whether a body is a form with files, or something else in parts.
pub(crate) fn is_multipart(headers: &HeaderMap) -> bool {
    MediaType::of(headers).is_some_and(|kind| kind.starts_with("multipart/"))
}

impl Watch {
    /// Begins to watch a request's body, if it is one to be watched.
    pub(crate) fn begin(
        call: &Call,
        headers: &HeaderMap,
        findings: &Arc<Findings>,
    ) -> Result<Option<Self>, Reason> {
        let route = &call.route;
        let encoded = encoding::of(headers);
        let content_type = headers.get(header::CONTENT_TYPE).filter(|_| route.uploads.mode != Mode::Off);
        let form_type = content_type.and_then(|value| FormType::of(value.as_bytes()));
        let coding = match encoded {
            Encoded::As(coding) if route.encoding.mode != Mode::Off => Some(coding),
            Encoded::Not | Encoded::As(_) => None,
            Encoded::Unreadable => {
                let policy = &route.encoding;
                findings.note(
                    Reason::ContentEncodingUnsupported,
                    policy.unreadable(),
                    policy.mode,
                    "the coding",
                )?;
                None
            }
        };
        let reader = reader(call);
        let form = form_type.map(|form_type| {
            let certain = reader != Reader::Unknown;
            FormWatch::begin(&form_type, Arc::clone(route), certain, Arc::clone(findings))
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
        let most = route.body_size.of(call.operation.as_ref());
        let inflate = coding
            .map(|coding| Inflate::begin(coding, most, Arc::clone(route), within, Arc::clone(findings)));
        let inflate = inflate.transpose()?;
        if inflate.is_none() && form.is_none() {
            return Ok(None);
        }
        Ok(Some(Self { inflate, form, verdict: None }))
    }

    /// The next piece. Once it has been refused, so is everything after it.
    pub(crate) fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        self.ask(|inflate| inflate.see(data), |form| form.see(data))
    }

    /// There is no more.
    pub(crate) fn end(&mut self) -> Result<(), Reason> {
        self.ask(Inflate::end, FormWatch::end)
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

/// Who reads a body as a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    /// Nobody, or code that nobody has looked into.
    Unknown,
    /// FastAPI in the end; code of the app may inflate the body before.
    Behind,
    /// FastAPI, as it comes: it ignores a Content-Encoding.
    FastApi,
}

fn reader(call: &Call) -> Reader {
    let Some(matched) = &call.operation else { return Reader::Unknown };
    let operation = matched.route.operation.as_ref();
    let is_form = operation.is_some_and(|one| matches!(one.body, BodyKind::Form { .. }));
    if !is_form || matched.unsure || !matched.contract.counts(&call.route.rules) {
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
