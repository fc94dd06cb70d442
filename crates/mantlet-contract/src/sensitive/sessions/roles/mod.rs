//! What shows each role.

mod logout;
mod password;
mod refresh;

use super::{
    CredentialPlace, Evidence, SessionRole,
    subject::Subject,
    words::{is_neutral, rank_of_me},
};

/// A role of an operation.
pub(super) struct Found {
    pub(super) role: SessionRole,
    pub(super) evidence: Evidence,
    pub(super) why: String,
    pub(super) places: Vec<CredentialPlace>,
    pub(super) only_if_present: bool,
    /// Methods that can have the role.
    pub(super) methods: &'static [&'static str],
}

/// All roles of an operation.
pub(super) fn of(subject: &Subject<'_>) -> Vec<Found> {
    let mut found = logout::logout(subject);
    if found.is_empty() {
        found.extend(refresh::refresh(subject));
    }
    found.extend(password::change(subject));
    found.extend(me(subject));
    found
}

fn me(subject: &Subject<'_>) -> Option<Found> {
    let is_about_another = subject.has_parameters || subject.takes_id() || subject.takes_account();
    if !subject.has_method(&["GET"]) || is_about_another {
        return None;
    }
    rank_of_me(subject.last)?;
    let is_neutral = are_neutral(subject.words_above());
    let (evidence, why) =
        shown(format!("its path ends in `{}`", subject.last), subject.caller().filter(|_| is_neutral));
    let role = SessionRole::Me;
    Some(Found { role, evidence, why, places: Vec::new(), only_if_present: false, methods: &["GET"] })
}

/// A word that says what an operation does, and the words around it.
struct Sign {
    /// Which one it is, and where: ``the word `logout` is in its path``.
    why: String,
    /// Words that say what it is about.
    before: Vec<String>,
    /// Words that say more: `all`.
    after: Vec<String>,
    is_in_path: bool,
}

impl Sign {
    fn is_neutral(&self) -> bool {
        are_neutral(&self.before)
    }

    fn says(&self, words: &[&str]) -> bool {
        contains(&self.after, words)
    }
}

/// A word at the end of the path, or else in the name of the function.
fn sign(subject: &Subject<'_>, signs: &[&str], may_follow: impl Fn(&str) -> bool) -> Option<Sign> {
    let is_sign = |word: &String| signs.contains(&word.as_str());
    let in_path = subject.words.iter().rposition(is_sign).and_then(|at| {
        let (before, rest) = subject.words.split_at_checked(at)?;
        let (word, after) = rest.split_first()?;
        let why = format!("the word `{word}` is in its path");
        let fits = after.iter().all(|word| may_follow(word));
        fits.then(|| Sign { why, before: before.to_vec(), after: after.to_vec(), is_in_path: true })
    });
    let in_name = || {
        let word = subject.name.iter().find(|word| is_sign(word))?;
        let others: Vec<_> = subject.name.iter().filter(|other| *other != word).cloned().collect();
        let why = format!("the word `{word}` is in its operation id");
        let fits = others.iter().all(|word| may_follow(word) || is_neutral(word));
        fits.then(|| Sign { why, before: subject.words.clone(), after: others, is_in_path: false })
    };
    in_path.or_else(in_name)
}

fn contains(words: &[String], known: &[&str]) -> bool {
    words.iter().any(|word| known.contains(&word.as_str()))
}

fn are_neutral(words: &[String]) -> bool {
    words.iter().all(|word| is_neutral(word))
}

/// What shows that the request brings a session or a token.
fn credential(subject: &Subject<'_>, tokens: &[CredentialPlace]) -> Option<String> {
    let token = tokens.first().map(|place| format!("it takes `{place}`"));
    token.or_else(|| subject.session())
}

/// The same, or the app's login beside it.
fn credential_or_login(subject: &Subject<'_>, tokens: &[CredentialPlace]) -> Option<String> {
    let beside = || subject.beside_login.map(|login| format!("the login `{login}` is beside it"));
    credential(subject, tokens).or_else(beside)
}

/// A word, and what agrees with it.
fn shown(why: String, agrees: Option<String>) -> (Evidence, String) {
    match agrees {
        Some(agrees) => (Evidence::Known, format!("{why}; {agrees}")),
        None => (Evidence::Word, why),
    }
}
