//! What can be shown of code: each sign that the inspector has found, by its rule.

use mantlet_contract::{
    model::{Sign, SignKind},
    sensitive::Purpose,
};
use mantlet_controls::{Mode, responses::Errors};

use crate::{
    facts::{App, looked},
    finding::{Finding, Place},
    review::{Review, Row},
    rule::{Level, Owasp, Practice, Rule, api},
};

/// An access token should not live longer.
const DAY: u64 = 24 * 60 * 60;
const MONTH: u64 = 31 * DAY;

pub(super) fn review(app: &App<'_>, review: &mut Review) {
    let (mut read, mut unread) = (0, 0);
    for one in &app.operations {
        match one.code() {
            Some(code) => {
                read += usize::from(!code.partial);
                unread += usize::from(code.partial);
                for sign in &code.signs {
                    found(
                        app,
                        sign,
                        &one.name(),
                        app.purpose(one).map(|one| one.sensitivity.purpose),
                        review,
                    );
                }
            }
            None => unread += 1,
        }
    }
    let of_app = app.facts.contract.app.as_ref();
    for sign in of_app.into_iter().flat_map(|of_app| &of_app.signs) {
        found(app, sign, "the app", None, review);
    }
    for row in [Owasp::Api7, Owasp::Api8, Owasp::Api10] {
        looked(review, row, "operations whose code was read", read);
        if unread > 0 {
            let why = format!("the code of {unread} operations was not read, or not understood as a whole");
            review.unjudged(Row::Owasp(row), why);
        }
    }
    if of_app.is_some_and(|of_app| of_app.late) {
        review.note("the time for reading the app's code was up: not all of it was reviewed");
    }
    review.looked(Row::Practice(Practice::Tokens), "operations whose code was read", read);
}

fn found(app: &App<'_>, sign: &Sign, subject: &str, purpose: Option<Purpose>, review: &mut Review) {
    let input = sign.input.as_deref().unwrap_or("what a client sends");
    let (rule, level, message): (&'static Rule, Level, String) = match sign.kind {
        SignKind::SqlFromInput => {
            told(&api::SQL_FROM_INPUT, format!("`{input}` stands in a statement of SQL as it came"))
        }
        SignKind::CodeFromInput => {
            told(&api::CODE_FROM_INPUT, format!("`{input}` is run as code or in a shell"))
        }
        SignKind::RequestToInput => {
            told(&api::REQUEST_TO_INPUT, format!("`{input}` says which host the app asks"))
        }
        SignKind::RedirectToInput => {
            told(&api::REDIRECT_TO_INPUT, format!("`{input}` says where a browser is sent"))
        }
        SignKind::FileNameAsPath => {
            told(&api::FILE_NAME_AS_PATH, format!("`{input}` says which file is opened"))
        }
        SignKind::WeakPasswordHash => {
            let name = sign.name.as_deref().unwrap_or("a quick function");
            told(&api::WEAK_PASSWORD_HASH, format!("passwords are hashed with `{name}`"))
        }
        SignKind::PasswordInPlain => told(
            &api::PASSWORD_IN_PLAIN,
            "a password is kept, or compared, as the client has sent it".to_owned(),
        ),
        // Nothing is wrong with it: see `properties`.
        SignKind::OwnPasswordHash => return,
        SignKind::LiteralCredential => {
            told(&api::LITERAL_CREDENTIAL, "a credential is compared with a text of the code".to_owned())
        }
        SignKind::TokenUnverified => {
            told(&api::TOKEN_NOT_VERIFIED, "a token is decoded, and its signature is not verified".to_owned())
        }
        SignKind::TokenWithoutEnd => {
            told(&api::TOKEN_WITHOUT_END, "a token is made without `exp`".to_owned())
        }
        SignKind::TokenLifetime => {
            let seconds = sign.seconds.unwrap_or_default();
            if seconds <= DAY {
                return;
            }
            let level = if seconds > MONTH { Level::Medium } else { api::LONG_LIVED_TOKEN.level };
            (&api::LONG_LIVED_TOKEN, level, format!("a token is good for {} days", seconds / DAY))
        }
        SignKind::ErrorText => {
            if sign.status.is_none_or(|status| status >= 500) && replaces_errors(app) {
                return;
            }
            told(&api::ERROR_TEXT, "the text of an exception is told to the client".to_owned())
        }
        SignKind::WeakRandom => {
            if purpose.is_none() {
                return;
            }
            told(&api::GUESSABLE_CODE, "a code is made with `random`".to_owned())
        }
        SignKind::SecretShown => told(
            &api::SECRET_IN_ANSWER,
            "the answer has a key that signs tokens, or all variables".to_owned(),
        ),
        SignKind::UnverifiedPeer => {
            told(&api::PEER_NOT_VERIFIED, "another service is asked with `verify=False`".to_owned())
        }
        SignKind::PlainHttp => {
            told(&api::PLAIN_CALL, "another service is asked at an `http://` address".to_owned())
        }
        SignKind::NoTimeout => {
            told(&api::CALL_WITHOUT_TIMEOUT, "another service is asked without a `timeout`".to_owned())
        }
    };
    let place = sign.file.clone().map(|file| Place { file, line: Some(sign.line) });
    let part = sign.input.clone().or_else(|| sign.name.clone()).unwrap_or_default();
    // It is the same for all that compare it.
    let is_shared = sign.kind == SignKind::LiteralCredential;
    let (subject, part) =
        if is_shared { ("the app", sign.file.clone().unwrap_or_default()) } else { (subject, part) };
    let finding = Finding::new(rule, subject, message).part(part).level(level).at(place);
    review.found(finding.mended_by(rule.remedy));
}

fn told(rule: &'static Rule, message: String) -> (&'static Rule, Level, String) {
    (rule, rule.level, message)
}

/// Whether the gate keeps errors of the app from clients.
pub(super) fn replaces_errors(app: &App<'_>) -> bool {
    let Some(gate) = app.facts.gate else { return false };
    let passes = matches!(gate.config.responses.errors, Some(Errors::Report | Errors::Allow));
    gate.config.responses.mode == Mode::Enforce && !gate.config.report_only && !passes
}
