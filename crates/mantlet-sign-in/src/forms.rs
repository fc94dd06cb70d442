//! The forms of the pages, in one table: the document has them, so that the gate knows which of them is a login.

use crate::operations::{
    ADDRESS, CODE, Field,
    Kind::{Address, Secret, Text},
    PASSWORD, TOKEN, field, optional,
};

/// A form of a page: what is posted to its path.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PageForm {
    /// Below the path of the accounts.
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) fields: &'static [Field],
    /// Whether it needs a session.
    pub(crate) is_own: bool,
}

const EMAIL: Field = field("email", Address, ADDRESS);
const OWN_PASSWORD: Field = field("password", Secret, PASSWORD);
const LINK: Field = field("token", Secret, TOKEN);
const ONE_CODE: Field = field("code", Secret, CODE);
const NEXT: Field = optional("next", Text, 2048);

const fn open(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    fields: &'static [Field],
) -> PageForm {
    PageForm { path, id, summary, fields, is_own: false }
}

const fn own(
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    fields: &'static [Field],
) -> PageForm {
    PageForm { path, id, summary, fields, is_own: true }
}

/// All of them.
pub(crate) const FORMS: &[PageForm] = &[
    open("/register", "register_form", "Register an address", &[EMAIL, OWN_PASSWORD]),
    open("/verify", "verify_email_form", "Verify an address", &[LINK]),
    open("/login", "login_form", "Log in", &[EMAIL, OWN_PASSWORD, NEXT]),
    open(
        "/second-factor",
        "login_second_factor_form",
        "Show the second factor of a login",
        &[field("mfa_token", Secret, TOKEN), ONE_CODE, NEXT],
    ),
    open("/forgot", "forgot_password_form", "Ask for a new password", &[EMAIL]),
    open("/reset", "reset_password_form", "Set a new password", &[LINK, OWN_PASSWORD]),
    open("/confirm-address", "confirm_email_form", "Confirm a new address", &[LINK]),
    open("/undo-address", "undo_email_form", "Undo a change of the address", &[LINK]),
    own("/logout", "logout_form", "End this session", &[]),
];
