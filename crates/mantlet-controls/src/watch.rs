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
    kind: Kind,
    verdict: Option<Reason>,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "whoever holds one holds it in a box")]
enum Kind {
    Form(FormWatch),
    Compressed(Inflate),
}

/// Whether a body is one to be watched. The only price of other requests.
pub(crate) fn concerns(headers: &HeaderMap) -> bool {
    headers.contains_key(header::CONTENT_ENCODING)
        || headers.get(header::CONTENT_TYPE).is_some_and(|value| {
            value
                .as_bytes()
                .trim_ascii_start()
                .first_chunk()
                .is_some_and(|kind: &[u8; 10]| kind.eq_ignore_ascii_case(b"multipart/"))
        })
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
            Encoded::Not => None,
            // What is not inflated is no form yet.
            Encoded::As(_) if route.encoding.mode == Mode::Off => return Ok(None),
            Encoded::As(coding) => Some(coding),
            Encoded::Unreadable => {
                let policy = &route.encoding;
                findings.note(
                    Reason::ContentEncodingUnsupported,
                    policy.unreadable(),
                    policy.mode,
                    "the coding",
                )?;
                return Ok(None);
            }
        };
        let form = form_type.map(|form_type| {
            FormWatch::begin(&form_type, Arc::clone(route), reads_form(call), Arc::clone(findings))
        });
        let form = form.transpose()?;
        let kind = match (coding, form) {
            (Some(coding), form) => {
                Kind::Compressed(Inflate::begin(coding, Arc::clone(route), form, Arc::clone(findings)))
            }
            (None, Some(form)) => Kind::Form(form),
            (None, None) => return Ok(None),
        };
        Ok(Some(Self { kind, verdict: None }))
    }

    /// The next piece. Once it has been refused, so is everything after it.
    pub(crate) fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        let seen = match (self.verdict, &mut self.kind) {
            (Some(reason), _) => Err(reason),
            (None, Kind::Form(form)) => form.see(data),
            (None, Kind::Compressed(inflate)) => inflate.see(data),
        };
        self.verdict = seen.err();
        seen
    }

    /// There is no more.
    pub(crate) fn end(&mut self) -> Result<(), Reason> {
        let ended = match (self.verdict, &mut self.kind) {
            (Some(reason), _) => Err(reason),
            (None, Kind::Form(form)) => form.end(),
            (None, Kind::Compressed(inflate)) => inflate.end(),
        };
        self.verdict = ended.err();
        ended
    }
}

/// Whether it is certain that FastAPI reads the body as a form.
fn reads_form(call: &Call) -> bool {
    call.operation.as_ref().is_some_and(|matched| {
        let operation = matched.route.operation.as_ref();
        matched.contract.counts(&call.route.rules)
            && operation.is_some_and(|one| matches!(one.body, BodyKind::Form { .. }))
    })
}
