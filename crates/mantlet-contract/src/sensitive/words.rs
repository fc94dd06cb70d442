//! Words in paths and names of fields, and what they show.

use super::Purpose;
pub(super) use crate::names::{parts, simple};

/// Words and what they show, in the order in which they decide: `/password/reset/verify` is about resetting.
pub(super) const WORDS: [(Purpose, &[&str]); 6] = [
    (Purpose::Reset, &["reset", "forgot", "forgotten", "recover", "recovery", "password", "passwd"]),
    (Purpose::Verify, &["otp", "totp", "mfa", "2fa", "verify", "verification", "confirm", "activate", "pin"]),
    (Purpose::Register, &["register", "registration", "signup", "invite", "invitation", "invitations"]),
    (
        Purpose::Redeem,
        &["coupon", "coupons", "voucher", "vouchers", "referral", "referrals", "redeem", "promo", "giftcard"],
    ),
    (Purpose::Checkout, &["checkout", "purchase"]),
    (Purpose::Login, &["login", "signin", "logon", "authenticate", "token"]),
];

/// Words that show a login only beside an account and a password.
pub(super) const OF_LOGINS: [&str; 4] = ["session", "sessions", "auth", "sso"];

/// Words that are about one-time codes and nothing else.
pub(super) const OF_CODES: [&str; 4] = ["otp", "totp", "mfa", "2fa"];

/// Two words that are one.
const PAIRS: [(&str, &str, &str); 5] = [
    ("log", "in", "login"),
    ("sign", "in", "signin"),
    ("sign", "up", "signup"),
    ("gift", "card", "giftcard"),
    ("log", "on", "logon"),
];

/// Names of accounts and addresses, the surest first, without what people write differently.
const ACCOUNTS: [&str; 17] = [
    "username",
    "email",
    "login",
    "emailaddress",
    "phone",
    "phonenumber",
    "mobile",
    "mobilenumber",
    "msisdn",
    "useremail",
    "loginname",
    "loginid",
    "accountname",
    "mail",
    "identifier",
    "account",
    "user",
];
/// Those of them that name much else, too: only beside a secret they are accounts.
const VAGUE: usize = 3;
/// Names that name an account where it is known from elsewhere that there is one.
const IDS: [&str; 6] = ["userid", "accountid", "uid", "memberid", "customerid", "customernumber"];
/// What the last word of such a name is: `customer_email`.
const LAST: [&str; 4] = ["email", "username", "phone", "mobile"];

const PASSWORDS: [&str; 4] = ["password", "passwd", "passphrase", "pwd"];
/// Those that are short and typed in as one-time codes are.
const PINS: [&str; 2] = ["passcode", "pin"];
/// Names of one-time codes: those that are nothing else.
const CODES: [&str; 8] =
    ["otp", "totp", "otpcode", "verificationcode", "confirmationcode", "mfacode", "securitycode", "smscode"];

/// What a code may be called that is sent to a person, or made by a person's device: `login_code`, but not `country_code`.
const OF_PERSONS: [&str; 26] = [
    "2fa",
    "access",
    "activation",
    "auth",
    "backup",
    "confirm",
    "confirmation",
    "email",
    "factor",
    "invitation",
    "invite",
    "login",
    "mfa",
    "one",
    "otp",
    "phone",
    "recovery",
    "reset",
    "security",
    "signup",
    "sms",
    "time",
    "totp",
    "two",
    "verification",
    "verify",
];

/// How surely a name is that of an account: the smaller, the surer. None: it is not.
pub(super) fn rank_of_account(name: &str) -> Option<usize> {
    let plain = simple(name);
    if let Some(rank) = ACCOUNTS.iter().position(|known| *known == plain) {
        return Some(rank);
    }
    let words = words(name);
    if words.last().is_some_and(|last| LAST.contains(&last.as_str())) {
        return Some(ACCOUNTS.len() - VAGUE - 1);
    }
    IDS.contains(&plain.as_str()).then_some(ACCOUNTS.len())
}

/// Whether a name of this rank is that of an account or an address by itself.
pub(super) const fn is_plainly_an_account(rank: usize) -> bool {
    rank < ACCOUNTS.len() - VAGUE
}

/// Whether a name is that of an account or an address and of nothing else, as people write it.
pub(super) fn is_sure_account(name: &str) -> bool {
    let plain = simple(name);
    ACCOUNTS.iter().take(ACCOUNTS.len() - VAGUE).any(|known| *known == plain)
}

/// Whether a name may be that of what many people have together.
pub(super) fn may_be_of_many(name: &str) -> bool {
    matches!(simple(name).as_str(), "account" | "accountid" | "customerid" | "customernumber")
}

/// Whether a name is that of a password, or of a number that is used like one.
pub(super) fn is_secret(name: &str) -> bool {
    is_password(name) || is_pin(name)
}

/// Whether a name is that of a number that a person types in.
pub(super) fn is_pin(name: &str) -> bool {
    PINS.contains(&simple(name).as_str())
}

/// Whether a name is that of a token: beside a password it stands for the account.
pub(super) fn is_token(name: &str) -> bool {
    words(name).last().is_some_and(|last| last == "token")
}

/// Whether a name is that of a password: `new_password` is, too.
pub(super) fn is_password(name: &str) -> bool {
    PASSWORDS.contains(&simple(name).as_str())
        || words(name)
            .last()
            .is_some_and(|last| matches!(last.as_str(), "password" | "passwd" | "passphrase"))
}

/// Whether a name is that of a one-time code.
pub(super) fn is_code(name: &str) -> bool {
    CODES.contains(&simple(name).as_str())
}

/// Whether a name may be that of a one-time code. `code` may be a program's.
pub(super) fn may_be_a_code(name: &str) -> bool {
    let is_of_persons = |kind: &[String]| kind.iter().all(|word| OF_PERSONS.contains(&word.as_str()));
    is_code(name)
        || words(name).split_last().is_some_and(|(last, kind)| last == "code" && is_of_persons(kind))
}

/// Whether a name is that of something to turn in.
pub(super) fn is_coupon(name: &str) -> bool {
    may_be_a_code(name)
        || words(name).iter().any(|word| {
            matches!(
                word.as_str(),
                "coupon" | "voucher" | "promo" | "giftcard" | "gift" | "referral" | "redeem" | "discount"
            )
        })
}

/// The words of a path or an identifier, without parameters: `/auth/logIn/{user}` has `auth`, `log`, `in` and `login`.
pub(super) fn words(text: &str) -> Vec<String> {
    let segments = text.split('/').filter(|segment| !segment.starts_with('{'));
    let mut words: Vec<_> = segments.flat_map(parts).collect();
    let pairs: Vec<_> = words
        .windows(2)
        .filter_map(|pair| {
            let [first, second] = pair else { return None };
            let (_, _, both) = PAIRS.iter().find(|(a, b, _)| a == first && b == second)?;
            Some((*both).to_owned())
        })
        .collect();
    words.extend(pairs);
    words
}
