//! Changes of the caller's own password.

use super::{Found, are_neutral, contains, shown};
use crate::{
    model::BodyKind,
    sensitive::{
        Evidence, Place,
        sessions::{
            CredentialPlace, SessionRole,
            subject::Subject,
            words::{CHANGE, Password, RESET, is_neutral, is_surely_me, password, rank_of_me},
        },
        taken::Taken,
        words::{is_token, parts, simple},
    },
};

const METHODS: &[&str] = &["POST", "PUT", "PATCH"];

pub(super) fn change(subject: &Subject<'_>) -> Option<Found> {
    if !subject.has_method(METHODS) {
        return None;
    }
    let of = |kind| {
        let is_it = move |name: &str| password(name) == Some(kind);
        subject.values().filter(|taken| taken.is(is_it) && is_of_caller(taken)).collect::<Vec<_>>()
    };
    let (mut current, mut new, mut plain) = (of(Password::Current), of(Password::New), of(Password::Plain));
    // Beside `new_password`, `password` is the current one; beside `old_password`, the new one.
    let says_new = !new.is_empty();
    if says_new { &mut current } else { &mut new }.append(&mut plain);
    let (evidence, why) = if !current.is_empty() && !new.is_empty() {
        (Evidence::Known, format!("it takes `{}` and `{}`", first(&current), first(&new)))
    } else if subject.path_names_one() || subject.takes_id() || is_reset(subject) {
        // Another account, or one whose password was forgotten.
        return None;
    } else if new.is_empty() {
        // Code may decide what it takes.
        let is_unknown = subject.operation.body != BodyKind::None && subject.caller().is_some();
        let Some(Path::Change(why)) = path(subject).filter(|_| is_unknown) else { return None };
        (Evidence::Word, why)
    } else {
        judged(subject, says_new, &format!("it takes `{}`", first(&new)))?
    };
    let places = new.iter().flat_map(|taken| &taken.places);
    Some(Found {
        role: SessionRole::ChangePassword,
        evidence,
        why,
        places: places.cloned().map(CredentialPlace::Input).collect(),
        only_if_present: !new.is_empty() && new.iter().all(|taken| !taken.is_required),
        methods: METHODS,
    })
}

/// Whether no object around a password is about something else: `user.password`, but not
/// `smtp.password`.
fn is_of_caller(taken: &Taken) -> bool {
    const AROUND: [&str; 6] = ["attributes", "body", "data", "form", "input", "payload"];
    taken.places.iter().all(|place| match place {
        Place::Body(keys) => keys.split_last().is_none_or(|(_, around)| {
            let words = around.iter().flat_map(|key| parts(key));
            words.into_iter().all(|word| is_neutral(&word) || AROUND.contains(&word.as_str()))
        }),
        Place::Query(_) | Place::Path(_) => true,
    })
}

/// Of an operation that takes a new password, but not the current one.
fn judged(subject: &Subject<'_>, says_new: bool, takes: &str) -> Option<(Evidence, String)> {
    let caller = subject.caller();
    let puts = subject.has_method(&["PUT", "PATCH"]);
    if let Some(path) = path(subject) {
        let (why, agrees) = match path {
            Path::Change(why) => (why, true),
            Path::Password(why) => (why, says_new || puts),
        };
        let caller = caller.filter(|_| agrees && !subject.takes_account());
        return Some(shown(why, caller.map(|asks| format!("{takes}; {asks}"))));
    }
    if let Some(rank) = rank_of_me(subject.last).filter(|_| are_neutral(subject.words_above())) {
        // An account that it takes is a new name. It does not say whose password changes.
        let fits = puts || (is_surely_me(rank) && caller.is_some());
        let is_seen = caller.is_some() || (is_surely_me(rank) && puts);
        let why = format!("its path ends in `{}`; {takes}", subject.last);
        return is_seen.then(|| shown(why, caller.filter(|_| fits)));
    }
    let is_own = says_new && caller.is_some() && !subject.takes_account();
    is_own.then(|| (Evidence::Word, takes.to_owned()))
}

/// A path, or a name of a function, that is about a password and nothing else.
enum Path {
    /// `/change-password`, `/users/me/password`.
    Change(String),
    /// `/password`.
    Password(String),
}

fn path(subject: &Subject<'_>) -> Option<Path> {
    let is_password = |word: &String| matches!(word.as_str(), "password" | "passwd" | "passphrase");
    let is_change = |word: &String| CHANGE.contains(&word.as_str());
    let fits = |word: &String| is_change(word) || is_neutral(word) || word == "settings";
    let is_named = || subject.name.iter().any(is_change) && subject.name.iter().any(is_password);
    let Some(at) = subject.words.iter().rposition(is_password) else {
        let why = || Path::Change("the word `password` is in its operation id".to_owned());
        return (is_named() && subject.words.iter().all(fits)).then(why);
    };
    let (before, rest) = subject.words.split_at_checked(at)?;
    let (word, after) = rest.split_first()?;
    if !before.iter().all(fits) || !after.iter().all(is_change) {
        return None;
    }
    let why = format!("the word `{word}` is in its path");
    let is_own = contains(&subject.above, &["account", "me", "my", "profile"]);
    let is_change = is_own || subject.words.iter().any(is_change) || is_named();
    Some(if is_change { Path::Change(why) } else { Path::Password(why) })
}

fn is_reset(subject: &Subject<'_>) -> bool {
    let is_proof = |name: &str| {
        let plain = simple(name);
        is_token(name) && !plain.contains("csrf") && !plain.contains("captcha")
    };
    contains(&subject.words, &RESET) || subject.values().any(|taken| taken.is(is_proof))
}

fn first(taken: &[&Taken]) -> String {
    taken.iter().flat_map(|taken| &taken.places).next().map(ToString::to_string).unwrap_or_default()
}
