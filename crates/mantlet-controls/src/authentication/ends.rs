//! The modes for sessions that have ended.

use super::sessions::Cause;
use crate::Mode;

/// What becomes of the credentials of a session that has ended.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ends {
    /// As the configuration has it.
    pub(super) usual: Mode,
    by_operator: Mode,
}

impl Ends {
    /// The word of an operator needs no line of configuration, unless sessions are not known at all.
    pub(super) const fn new(usual: Mode, report_only: bool) -> Self {
        let by_operator = if matches!(usual, Mode::Off) { Mode::Off } else { Mode::Enforce };
        Self { usual: usual.under(report_only), by_operator: by_operator.under(report_only) }
    }

    pub(super) const fn mode_of(self, cause: Cause) -> Mode {
        match cause {
            Cause::Operator => self.by_operator,
            Cause::Logout | Cause::PasswordChanged | Cause::PasswordReset | Cause::Issuer | Cause::Reused => {
                self.usual
            }
        }
    }
}
