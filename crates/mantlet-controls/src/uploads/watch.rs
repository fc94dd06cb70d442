//! Judges a form as it passes.

use std::sync::Arc;

use mantlet_contract::multipart::{FormType, Head, Parser, Sink, Trouble};

use super::{
    Policy,
    names::{self, NameFault},
    types,
};
use crate::{Mode, Reason, config::Tolerance, message::Findings};

/// Watches one form. Its memory does not depend on the form's size.
#[derive(Debug)]
pub(crate) struct FormWatch {
    parser: Parser,
    judge: Judge,
}

impl FormWatch {
    /// Begins; `certain` if it is known that the app reads a form. Refuses faults that the
    /// Content-Type alone shows.
    pub(crate) fn begin(
        form_type: &FormType,
        policy: Arc<Policy>,
        certain: bool,
        findings: Arc<Findings>,
    ) -> Result<Self, Reason> {
        let mut judge = Judge { policy, certain, findings, files: 0, fields: 0, file: None };
        if let Some(trouble) = form_type.trouble {
            judge.trouble(trouble)?;
        }
        Ok(Self { parser: Parser::new(&form_type.boundary), judge })
    }

    /// The next piece.
    pub(crate) fn see(&mut self, data: &[u8]) -> Result<(), Reason> {
        self.parser.push(data, &mut self.judge)
    }

    /// The rest cannot be judged.
    pub(crate) fn give_up(&self) -> Result<(), Reason> {
        self.judge.found(self.judge.firm(), Reason::MultipartMalformed, "cannot be inflated")
    }

    /// It is not examined. If the operator has set a limit, it does not pass.
    pub(crate) fn is_unseen(&self) -> Result<(), Reason> {
        let policy = self.judge.policy();
        let mode = if policy.explicit { policy.mode } else { Mode::Off };
        self.judge.found(mode, Reason::MultipartMalformed, "cannot be inflated")
    }

    /// There is no more.
    pub(crate) fn end(&mut self) -> Result<(), Reason> {
        self.parser.end(&mut self.judge)
    }
}

#[derive(Debug)]
struct Judge {
    policy: Arc<Policy>,
    certain: bool,
    findings: Arc<Findings>,
    files: u32,
    fields: u32,
    /// The file that is passing.
    file: Option<File>,
}

#[derive(Debug, Default)]
struct File {
    size: u64,
    /// As the part declares it.
    declared: Option<String>,
    /// Its type has been looked at as far as the part's headers tell it.
    declared_judged: bool,
    /// Its first bytes, until they have been looked at.
    head: Option<Vec<u8>>,
}

impl Judge {
    fn policy(&self) -> &Policy {
        &self.policy
    }

    /// The mode of refusals if the app is known to read a form, or the operator has set limits.
    fn firm(&self) -> Mode {
        let policy = self.policy();
        policy.mode.under(!(self.certain || policy.strict || policy.explicit))
    }

    fn tolerated(&self, tolerance: Tolerance) -> Mode {
        match tolerance {
            Tolerance::Reject => self.policy().mode,
            Tolerance::Report => self.policy().mode.under(true),
            Tolerance::Allow => Mode::Off,
        }
    }

    fn found(&self, mode: Mode, reason: Reason, what: &'static str) -> Result<(), Reason> {
        self.findings.note(reason, mode, self.policy().mode, what)
    }

    fn judge_declared(&mut self) -> Result<(), Reason> {
        let Some(file) = self.file.as_mut().filter(|file| !file.declared_judged) else { return Ok(()) };
        file.declared_judged = true;
        let declared = file.declared.clone();
        let patterns = &self.policy().types;
        match declared {
            Some(declared) if !patterns.is_empty() && !patterns.iter().any(|one| one.matches(&declared)) => {
                self.found(self.policy().mode, Reason::UploadTypeForbidden, "the declared type")
            }
            _ => Ok(()),
        }
    }

    fn judge_head(&self, declared: Option<&str>, head: &[u8]) -> Result<(), Reason> {
        let policy = self.policy();
        let (is_wrong, mode) = match declared {
            Some(declared) if policy.types.is_empty() => {
                (types::contradicts(declared, head), self.tolerated(policy.disguised_files))
            }
            Some(declared) => (types::contradicts(declared, head), policy.mode),
            None if policy.types.is_empty() => return Ok(()),
            None => {
                let found = types::sniff(head);
                let is_allowed = found.is_some_and(|found| policy.types.iter().any(|one| one.matches(found)));
                (!is_allowed, policy.mode)
            }
        };
        if is_wrong { self.found(mode, Reason::UploadTypeForbidden, "the content") } else { Ok(()) }
    }
}

impl Sink for Judge {
    type Stop = Reason;

    fn part(&mut self, head: &Head) -> Result<(), Reason> {
        let extended = head.extended_file_name();
        let Some(name) = head.file_name().or(extended.as_deref()) else {
            self.fields = self.fields.saturating_add(1);
            if self.fields > self.policy().fields {
                self.found(self.firm(), Reason::UploadTooManyParts, "fields")?;
            }
            return Ok(());
        };
        self.files = self.files.saturating_add(1);
        if self.files > self.policy().files {
            self.found(self.firm(), Reason::UploadTooManyParts, "files")?;
        }
        for name in [Some(name), extended.as_deref()].into_iter().flatten() {
            match names::fault(name) {
                Some(NameFault::Dangerous(what)) => {
                    self.found(self.firm(), Reason::UploadNameForbidden, what)?;
                }
                Some(NameFault::Unusual(what)) => {
                    self.found(
                        self.tolerated(self.policy().unusual_names),
                        Reason::UploadNameForbidden,
                        what,
                    )?;
                }
                None => {}
            }
        }
        let declared = types::essence(head.content_type.as_deref());
        self.file = Some(File { declared, head: Some(Vec::new()), ..File::default() });
        // Browsers send an empty file without a name where none was chosen.
        if name.is_empty() { Ok(()) } else { self.judge_declared() }
    }

    fn data(&mut self, data: &[u8]) -> Result<(), Reason> {
        self.judge_declared()?;
        let Some(file) = &mut self.file else { return Ok(()) };
        file.size += data.len() as u64;
        let is_too_large = file.size > self.policy.file_size;
        let mut complete = None;
        if let Some(head) = &mut file.head {
            let wanted = types::SNIFFED - head.len();
            head.extend_from_slice(data.get(..wanted).unwrap_or(data));
            if head.len() >= types::SNIFFED {
                complete = file.head.take().map(|head| (file.declared.clone(), head));
            }
        }
        if is_too_large {
            self.found(self.policy().mode, Reason::UploadTooLarge, "a file")?;
        }
        complete.map_or(Ok(()), |(declared, head)| self.judge_head(declared.as_deref(), &head))
    }

    fn part_end(&mut self) -> Result<(), Reason> {
        let Some(file) = self.file.take() else { return Ok(()) };
        match file.head {
            Some(head) if !head.is_empty() => self.judge_head(file.declared.as_deref(), &head),
            _ => Ok(()),
        }
    }

    fn trouble(&mut self, trouble: Trouble) -> Result<(), Reason> {
        let mode = if trouble.is_malformed() {
            self.firm()
        } else if self.policy().strict || (self.policy().explicit && trouble.is_ambiguous()) {
            // A second reading must not evade a limit that the operator has set.
            self.policy().mode
        } else {
            self.policy().mode.under(true)
        };
        self.found(mode, Reason::MultipartMalformed, trouble.what())
    }
}
