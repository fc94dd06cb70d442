//! The operations of the API, in one table: requests are read by it, and the document is written from it.

use self::{
    Body::{Form, Json, Nothing},
    Kind::{Address, Secret, Text},
};

/// What an operation does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Token,
    Revoke,
    Register,
    Verify,
    Login,
    LoginSecondFactor,
    Logout,
    LogoutEverywhere,
    Password,
    Email,
    EmailConfirm,
    EmailUndo,
    ResetRequest,
    Reset,
    FactorEnrol,
    FactorConfirm,
    FactorRemove,
    FactorRecoveryCodes,
    Close,
    Me,
    Sessions,
    SessionEnd,
    Jwks,
    Metadata,
}

/// A kind of field.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The address of a mailbox.
    Address,
    /// A password, a code or a token.
    Secret,
    /// Anything else.
    Text,
}

/// A field of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    /// The most characters.
    pub(crate) most: usize,
    pub(crate) is_required: bool,
}

/// What an operation takes.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Body {
    Nothing,
    Json(&'static [Field]),
    Form(&'static [Field]),
}

/// An operation.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Operation {
    pub(crate) what: What,
    pub(crate) method: &'static str,
    /// Below the path of the accounts; from the root of the site for what is well known.
    pub(crate) path: &'static str,
    pub(crate) id: &'static str,
    pub(crate) summary: &'static str,
    pub(crate) body: Body,
    /// Whether it needs a session.
    pub(crate) is_own: bool,
    /// The status of success, and other ones with what they mean.
    pub(crate) success: u16,
    pub(crate) others: &'static [(u16, &'static str)],
}

/// Characters of an address that are read: what is longer is not one.
pub(crate) const ADDRESS: usize = 320;
/// Of a password: which lengths may be chosen is the policy's, this is where reading stops.
pub(crate) const PASSWORD: usize = 4096;
const TOKEN: usize = 4096;
const CODE: usize = 64;

pub(crate) const fn field(name: &'static str, kind: Kind, most: usize) -> Field {
    Field { name, kind, most, is_required: true }
}

pub(crate) const fn optional(name: &'static str, kind: Kind, most: usize) -> Field {
    Field { name, kind, most, is_required: false }
}

const EMAIL: Field = field("email", Address, ADDRESS);
const OWN_PASSWORD: Field = field("password", Secret, PASSWORD);
const LINK: Field = field("token", Secret, TOKEN);
const ONE_CODE: Field = field("code", Secret, CODE);

const TOKEN_FORM: &[Field] = &[
    optional("grant_type", Text, 128),
    optional("username", Text, ADDRESS),
    optional("password", Secret, PASSWORD),
    optional("scope", Text, 1024),
    optional("refresh_token", Secret, TOKEN),
    optional("mfa_token", Secret, TOKEN),
    optional("otp", Secret, CODE),
    optional("client_id", Text, 256),
    optional("client_secret", Secret, 1024),
];

const WRONG: (u16, &str) = (400, "The password or the code is wrong.");
const LINK_ENDED: (u16, &str) = (400, "The link is not good any more.");

/// `POST`, for anybody.
const fn open(
    what: What,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    body: Body,
    (success, others): (u16, &'static [(u16, &'static str)]),
) -> Operation {
    Operation { what, method: "POST", path, id, summary, body, is_own: false, success, others }
}

/// `POST`, for who is logged in.
const fn own(
    what: What,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    body: Body,
    (success, others): (u16, &'static [(u16, &'static str)]),
) -> Operation {
    Operation { what, method: "POST", path, id, summary, body, is_own: true, success, others }
}

/// `GET`.
const fn get(
    what: What,
    path: &'static str,
    id: &'static str,
    summary: &'static str,
    is_own: bool,
) -> Operation {
    Operation { what, method: "GET", path, id, summary, body: Nothing, is_own, success: 200, others: &[] }
}

/// Where sessions are ended one by one: an id follows.
pub(crate) const SESSION: &str = "/api/sessions/{id}";
/// The `grant_type` of a second factor. RFC 6749 section 4.5: a grant of our own is a URI.
pub(crate) const MFA_GRANT: &str = "urn:mantlet:params:oauth:grant-type:mfa-otp";
pub(crate) const JWKS: &str = "/.well-known/jwks.json";
pub(crate) const METADATA: &str = "/.well-known/oauth-authorization-server";

/// All of them.
pub(crate) const OPERATIONS: [Operation; 24] = [
    open(
        What::Token,
        "/token",
        "login_for_access_token",
        "Get tokens for a password, for a code of the second factor, or for a refresh token",
        Form(TOKEN_FORM),
        (
            200,
            &[(400, "The credentials are not good, or a second factor is asked for (RFC 6749 section 5.2).")],
        ),
    ),
    open(
        What::Revoke,
        "/revoke",
        "revoke_token",
        "Give a token up: its session ends",
        Form(&[LINK, optional("token_type_hint", Text, 64)]),
        (200, &[(400, "The request is not one of RFC 7009.")]),
    ),
    open(
        What::Register,
        "/api/register",
        "register",
        "Register an address. The answer is the same whether it has an account: the mail tells",
        Json(&[EMAIL, OWN_PASSWORD]),
        (202, &[(403, "Registration is closed.")]),
    ),
    open(
        What::Verify,
        "/api/verify",
        "verify_email",
        "Verify an address with the token of its mail",
        Json(&[LINK]),
        (200, &[LINK_ENDED]),
    ),
    open(
        What::Login,
        "/api/login",
        "login",
        "Log in and get a session cookie",
        Json(&[EMAIL, OWN_PASSWORD]),
        (
            200,
            &[
                (401, "Address or password is wrong."),
                (
                    403,
                    "The password is right, and something else is missing: a second factor (`mfa_token` is in the answer), or the verified address.",
                ),
            ],
        ),
    ),
    open(
        What::LoginSecondFactor,
        "/api/login/second-factor",
        "login_second_factor",
        "Show the second factor of a login: a code of the app, or a recovery code",
        Json(&[field("mfa_token", Secret, TOKEN), ONE_CODE]),
        (
            200,
            &[
                (401, "The code is wrong, or the login has taken too long."),
                (403, "Too many codes were wrong: the password has to be reset."),
            ],
        ),
    ),
    own(What::Logout, "/api/logout", "logout", "End this session", Nothing, (204, &[])),
    own(
        What::LogoutEverywhere,
        "/api/logout-everywhere",
        "logout_everywhere",
        "End all sessions of this account",
        Nothing,
        (204, &[]),
    ),
    own(
        What::Password,
        "/api/password",
        "change_password",
        "Change the password: all other sessions end",
        Json(&[field("current_password", Secret, PASSWORD), field("new_password", Secret, PASSWORD)]),
        (204, &[WRONG]),
    ),
    own(
        What::Email,
        "/api/email",
        "change_email",
        "Ask for another address. It has to be confirmed from its mailbox",
        Json(&[EMAIL, OWN_PASSWORD]),
        (202, &[WRONG]),
    ),
    open(
        What::EmailConfirm,
        "/api/email/confirm",
        "confirm_email",
        "Confirm a new address with the token of its mail: all sessions end",
        Json(&[LINK]),
        (200, &[LINK_ENDED]),
    ),
    open(
        What::EmailUndo,
        "/api/email/undo",
        "undo_email",
        "Undo a change of the address with the token that was mailed to the old one",
        Json(&[LINK]),
        (200, &[LINK_ENDED]),
    ),
    open(
        What::ResetRequest,
        "/api/reset-request",
        "request_password_reset",
        "Ask for a new password. The answer is the same whether the address has an account: the mail tells",
        Json(&[EMAIL]),
        (202, &[]),
    ),
    open(
        What::Reset,
        "/api/reset",
        "reset_password",
        "Set a new password with the token of a mail: all sessions end",
        Json(&[LINK, OWN_PASSWORD]),
        (200, &[LINK_ENDED]),
    ),
    own(
        What::FactorEnrol,
        "/api/second-factor/enrol",
        "enrol_second_factor",
        "Get a secret for an authenticator app. It counts once a code of it was shown",
        Json(&[OWN_PASSWORD]),
        (200, &[WRONG]),
    ),
    own(
        What::FactorConfirm,
        "/api/second-factor/confirm",
        "confirm_second_factor",
        "Show the first code: logins ask for one from now on. The answer has the recovery codes",
        Json(&[ONE_CODE]),
        (200, &[WRONG]),
    ),
    own(
        What::FactorRemove,
        "/api/second-factor/remove",
        "remove_second_factor",
        "Take the second factor away",
        Json(&[OWN_PASSWORD, ONE_CODE]),
        (204, &[WRONG]),
    ),
    own(
        What::FactorRecoveryCodes,
        "/api/second-factor/recovery-codes",
        "renew_recovery_codes",
        "Get new recovery codes: the old ones are worth nothing",
        Json(&[OWN_PASSWORD, ONE_CODE]),
        (200, &[WRONG]),
    ),
    own(
        What::Close,
        "/api/close",
        "close_account",
        "Close this account: all that is kept of it is deleted",
        Json(&[OWN_PASSWORD]),
        (204, &[WRONG]),
    ),
    get(What::Me, "/api/me", "read_me", "Who is logged in", true),
    get(
        What::Sessions,
        "/api/sessions",
        "list_sessions",
        "The sessions of this account, the oldest first",
        true,
    ),
    Operation {
        what: What::SessionEnd,
        method: "DELETE",
        path: SESSION,
        id: "end_session",
        summary: "End one session of this account",
        body: Nothing,
        is_own: true,
        success: 204,
        others: &[(404, "This account has no such session.")],
    },
    get(What::Jwks, JWKS, "jwks", "The public keys of access tokens (RFC 7517)", false),
    get(What::Metadata, METADATA, "metadata", "Where things are, for OAuth clients (RFC 8414)", false),
];

impl Operation {
    /// Whether it stands at the root of the site.
    pub(crate) fn is_well_known(&self) -> bool {
        matches!(self.what, What::Jwks | What::Metadata)
    }
}

/// The operations of a path below that of the accounts, or of one that is well known.
pub(crate) fn at(path: &str) -> impl Iterator<Item = &'static Operation> {
    let is_it = move |known: &str| match known.split_once("{id}") {
        Some((before, _)) => path.strip_prefix(before).is_some_and(|id| !id.is_empty() && !id.contains('/')),
        None => known == path,
    };
    OPERATIONS.iter().filter(move |operation| is_it(operation.path))
}
