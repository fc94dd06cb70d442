//! Which operations are sensitive: those that an attacker repeats to guess a secret, to flood a mailbox, or to gain something.
//!
//! Found from what an app says of itself: the `tokenUrl` of its security schemes; words in paths and operation ids beside an account, an address, a password or a
//! code among its inputs; an account beside a password. A word alone proves nothing: `/reset` starts a game anew, `/verify` checks a proof, `/checkout` is of a branch.
//! What only looks so is found too, and says so ([`Evidence`]).

mod sessions;
mod taken;
mod words;

pub use self::{
    sessions::{CredentialPlace, SessionRole, SessionRoute, session_routes},
    taken::Place,
};
use self::{
    taken::{All, Taken, Value, taken},
    words::{
        OF_CODES, OF_LOGINS, WORDS, is_code, is_coupon, is_password, is_pin, is_plainly_an_account,
        is_secret, is_sure_account, is_token, may_be_a_code, may_be_of_many, rank_of_account, words,
    },
};
use crate::{
    model::{Contract, Operation, Route, Router, SecurityScheme, Shape},
    routes::Roots,
};

/// What a sensitive operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Purpose {
    /// Logging in, or getting a token for a password.
    Login,
    /// Asking for a new password, or setting one.
    Reset,
    /// Showing a one-time code, or asking for one.
    Verify,
    /// Making an account, or an invitation to one.
    Register,
    /// Turning in a coupon, a voucher or a referral.
    Redeem,
    /// Buying.
    Checkout,
}

impl Purpose {
    /// All of them.
    pub const ALL: [Self; 6] =
        [Self::Login, Self::Reset, Self::Verify, Self::Register, Self::Redeem, Self::Checkout];

    /// Whether attempts on one account are limited.
    pub const fn has_accounts(self) -> bool {
        matches!(self, Self::Login | Self::Reset | Self::Verify)
    }

    /// The word in the configuration and in the names of counters.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Login => "login",
            Self::Reset => "reset",
            Self::Verify => "verify",
            Self::Register => "register",
            Self::Redeem => "redeem",
            Self::Checkout => "checkout",
        }
    }
}

/// A sensitive operation, or one that looks so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sensitivity {
    /// What it is for.
    pub purpose: Purpose,
    /// How that is known.
    pub evidence: Evidence,
    /// Where the account is named that it is about.
    pub accounts: Vec<Place>,
    /// So many of these count each, for any of them may be the one by which the app looks; of the others the first that a request has, if it
    /// has none of these.
    pub each: usize,
    /// Not all that it takes is known: it may name an account nevertheless.
    pub may_name_more: bool,
    /// Its body has several forms, and in one of them no account is found.
    pub hides_in_part: bool,
    /// It takes a password.
    pub takes_password: bool,
    /// What shows it: `the tokenUrl of OAuth2PasswordBearer`, `the word "login" in its path`.
    pub why: String,
}

/// How it is known what an operation is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    /// The app says so (`tokenUrl`), or its words and what it takes agree.
    Known,
    /// It takes an account and a password. It is a login if it answers 401 to wrong ones.
    Inputs,
    /// A word. Words in a path prove nothing.
    Word,
}

/// A sensitive operation and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SensitiveRoute {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// The host that it is there for, as the app has it; none if it is there for any.
    pub host: Option<String>,
    /// Its methods.
    pub methods: Vec<String>,
    /// What it is.
    pub sensitivity: Sensitivity,
}

/// All sensitive operations of an app, in its order.
pub fn find(contract: &Contract) -> Vec<SensitiveRoute> {
    let roots = contract.root_path.iter().chain(&contract.prefixes);
    let roots = Roots::new(roots.map(String::as_str));
    let mut search = Search { shapes: &contract.shapes, roots, token_urls: Vec::new(), found: Vec::new() };
    search.token_urls_of(&contract.router);
    search.router("", None, &contract.router);
    search.found
}

struct Search<'c> {
    shapes: &'c [Shape],
    /// Root paths: a `tokenUrl` may stand with them or without.
    roots: Roots,
    /// With a slash in front, and the names of their schemes.
    token_urls: Vec<(String, &'c str)>,
    found: Vec<SensitiveRoute>,
}

impl<'c> Search<'c> {
    fn token_urls_of(&mut self, router: &'c Router) {
        for route in &router.routes {
            match route {
                Route::Http { operation: Some(operation), .. } => {
                    for requirement in operation.security.iter().flatten() {
                        if let SecurityScheme::Bearer { token_url: Some(url) } = &requirement.scheme {
                            self.token_urls
                                .extend(path_of(url).map(|path| (path, requirement.name.as_str())));
                        }
                    }
                }
                Route::Mount { router: Some(router), .. } | Route::Host { router: Some(router), .. } => {
                    self.token_urls_of(router);
                }
                _ => {}
            }
        }
    }

    fn router(&mut self, below: &str, host: Option<&str>, router: &Router) {
        for route in &router.routes {
            match route {
                Route::Http { path, methods, operation: Some(operation), .. } => {
                    let path = format!("{below}{path}");
                    if let Some(sensitivity) = self.sensitivity(&path, methods, operation) {
                        // A page for a login is none, unless the account comes in its query.
                        let in_query =
                            sensitivity.accounts.iter().any(|place| matches!(place, Place::Query(_)));
                        let is_only_asked = !methods.iter().any(|name| changes(name));
                        let counts =
                            |name: &&String| changes(name) || is_only_asked || (in_query && *name == "GET");
                        let methods = methods.iter().filter(counts).cloned().collect();
                        self.add(SensitiveRoute {
                            path,
                            host: host.map(str::to_owned),
                            methods,
                            sensitivity,
                        });
                    }
                }
                Route::Mount { path, router: Some(router) } => {
                    self.router(&format!("{below}{path}"), host, router);
                }
                Route::Host { host, router: Some(router) } => self.router(below, Some(host), router),
                _ => {}
            }
        }
    }

    /// Of several routes with one path the app's code may choose: what any of them takes names an account.
    fn add(&mut self, new: SensitiveRoute) {
        let is_same = |known: &&mut SensitiveRoute| {
            (&known.path, &known.host, &known.methods, known.sensitivity.purpose)
                == (&new.path, &new.host, &new.methods, new.sensitivity.purpose)
        };
        match self.found.iter_mut().find(is_same) {
            Some(known) => {
                let (sensitivity, new) = (&mut known.sensitivity, new.sensitivity);
                for (at, place) in new.accounts.into_iter().enumerate() {
                    if !sensitivity.accounts.contains(&place) {
                        let counts = at < new.each;
                        sensitivity.accounts.insert(
                            if counts { sensitivity.each } else { sensitivity.accounts.len() },
                            place,
                        );
                        sensitivity.each += usize::from(counts);
                    }
                }
                sensitivity.takes_password &= new.takes_password;
                sensitivity.may_name_more |= new.may_name_more;
                sensitivity.hides_in_part |= new.hides_in_part;
            }
            None => self.found.push(new),
        }
    }

    fn sensitivity(&self, path: &str, methods: &[String], operation: &Operation) -> Option<Sensitivity> {
        let inputs = Inputs::of(self.shapes, operation);
        let sensitivity = |purpose, evidence, why| {
            let (accounts, each) = inputs.accounts();
            let (may_name_more, hides_in_part) = (!inputs.is_whole, inputs.hides_in_part);
            let takes_password = inputs.has(|taken| taken.is(is_password));
            Some(Sensitivity {
                purpose,
                evidence,
                accounts,
                each,
                may_name_more,
                hides_in_part,
                takes_password,
                why,
            })
        };
        let is_anonymous = operation.security.is_empty();
        if methods.iter().any(|name| changes(name)) {
            let own = path.get(self.roots.start_in(path).at..).unwrap_or(path);
            let is_it = |url: &str| url == own || url.get(self.roots.start_in(url).at..) == Some(own);
            if let Some((_, scheme)) = self.token_urls.iter().find(|(url, _)| is_it(url)) {
                return sensitivity(
                    Purpose::Login,
                    Evidence::Known,
                    format!("it is the tokenUrl of `{scheme}`"),
                );
            }
            for (place, text) in [("path", path), ("operation id", operation.id.as_str())] {
                let words = words(text);
                for (purpose, signs) in WORDS {
                    let Some(sign) = signs.iter().find(|sign| words.iter().any(|word| word == *sign)) else {
                        continue;
                    };
                    // A token of another kind is made without a password.
                    if purpose == Purpose::Login && *sign == "token" && !inputs.has_secret() {
                        continue;
                    }
                    let is_known = inputs.agree(purpose, sign, is_anonymous);
                    let evidence = if is_known { Evidence::Known } else { Evidence::Word };
                    return sensitivity(purpose, evidence, format!("the word `{sign}` is in its {place}"));
                }
            }
        }
        // A caller who is known already does not log in.
        let (account, secret) = (inputs.account()?, inputs.secret()?);
        is_anonymous.then_some(())?;
        let words = words(path);
        let is_of_login = OF_LOGINS.iter().any(|sign| words.iter().any(|word| word == sign));
        let evidence = if is_of_login { Evidence::Known } else { Evidence::Inputs };
        let place = |taken: &Taken| taken.places.first().map(Place::to_string).unwrap_or_default();
        sensitivity(
            Purpose::Login,
            evidence,
            format!("it takes `{}` and `{}`", place(account), place(secret)),
        )
    }
}

/// What an operation takes, as far as it is known.
struct Inputs {
    all: Vec<Taken>,
    is_whole: bool,
    hides_in_part: bool,
}

impl Inputs {
    fn of(shapes: &[Shape], operation: &Operation) -> Self {
        let All { taken: all, is_whole, hides_in_part } = taken(shapes, operation);
        Self { all, is_whole, hides_in_part }
    }

    /// Accounts, the surest first.
    fn ranked(&self) -> Vec<(usize, &Taken)> {
        let mut ranked: Vec<_> = self
            .all
            .iter()
            .filter(|taken| taken.value != Value::Other)
            .filter_map(|taken| {
                Some((taken.names.iter().filter_map(|name| rank_of_account(name)).min()?, taken))
            })
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked
    }

    fn account(&self) -> Option<&Taken> {
        self.ranked().first().map(|(_, taken)| *taken)
    }

    /// Where the account is named, and how many of these count each. Where one must be there, it is the account, and so is what surely names one,
    /// too: the app may look by either. Of those that need not be there any may be, but for what many people may have together: an
    /// account of a company.
    fn accounts(&self) -> (Vec<Place>, usize) {
        let mut ranked = self.ranked();
        let must = ranked.first().is_some_and(|(_, taken)| taken.is_required);
        let mut at = 0;
        ranked.retain(|(_, taken)| {
            at += 1;
            !must || at == 1 || (is_beside_the_body_or_in_it(taken) && taken.is(is_sure_account))
        });
        let (each, others): (Vec<_>, Vec<_>) =
            ranked.into_iter().partition(|(_, taken)| must || !taken.is(may_be_of_many));
        let places = |ranked: Vec<(usize, &Taken)>| {
            ranked.into_iter().flat_map(|(_, taken)| taken.places.iter().cloned()).collect::<Vec<_>>()
        };
        let (mut all, others) = (places(each), places(others));
        let each = all.len();
        all.extend(others);
        (all, each)
    }

    fn secret(&self) -> Option<&Taken> {
        self.all.iter().find(|taken| taken.value != Value::Other && taken.is(is_secret))
    }

    fn has_secret(&self) -> bool {
        self.secret().is_some()
    }

    fn has(&self, is_it: impl Fn(&Taken) -> bool) -> bool {
        self.all.iter().any(|taken| taken.value != Value::Other && is_it(taken))
    }

    /// Whether what it takes is what an operation for this purpose takes. Where every request counts, and not only failures, a caller who is known
    /// already may have a good reason to ask often.
    fn agree(&self, purpose: Purpose, sign: &str, is_anonymous: bool) -> bool {
        let has_account = || self.ranked().first().is_some_and(|(rank, _)| is_plainly_an_account(*rank));
        let has_code = || {
            let is_of_codes = OF_CODES.contains(&sign) || self.account().is_some();
            self.has(|taken| {
                taken.is(is_code) || (taken.is(may_be_a_code) && (is_of_codes || taken.value == Value::Short))
            })
        };
        // Rooms, archives and shared notes have passwords, too: it shows an account only beside something that stands for one.
        let has_account_with_secret = || {
            let stands_for_one = |taken: &Taken| taken.is(may_be_a_code) || taken.is(is_token);
            self.has_secret() && (self.account().is_some() || self.has(stands_for_one))
        };
        // A board has pins as well, and `/pin` says no more than its field of that name.
        let has_pin = || sign != "pin" && self.has(|taken| taken.is(is_pin));
        match purpose {
            Purpose::Login => self.has_secret() || has_account() || has_code(),
            Purpose::Verify => {
                has_account()
                    || has_code()
                    || has_pin()
                    || has_account_with_secret()
                    || (!is_anonymous && self.has(|taken| taken.is(is_password)))
            }
            Purpose::Reset => is_anonymous && (has_account() || has_code() || has_account_with_secret()),
            Purpose::Register | Purpose::Checkout => {
                is_anonymous && (has_account() || has_account_with_secret())
            }
            Purpose::Redeem => self.has(|taken| taken.is(is_coupon)) || has_account(),
        }
    }
}

/// Where the values stand that an operation takes, and whether that is all of it.
pub fn places(contract: &Contract, operation: &Operation) -> (Vec<Place>, bool) {
    let All { taken, is_whole, .. } = taken(&contract.shapes, operation);
    (taken.into_iter().flat_map(|taken| taken.places).collect(), is_whole)
}

/// Whether a value stands in no object: those in objects are of other people as often.
fn is_beside_the_body_or_in_it(taken: &Taken) -> bool {
    taken.places.iter().all(|place| !matches!(place, Place::Body(keys) if keys.len() > 1))
}

/// The path of a `tokenUrl`, which may be relative or a whole address.
pub fn path_of(url: &str) -> Option<String> {
    let path = match url.split_once("://") {
        Some((_, rest)) => rest.split_once('/')?.1,
        None => url,
    };
    let path = path.trim_start_matches("./").trim_matches('/');
    (!path.is_empty()).then(|| format!("/{path}"))
}

fn changes(method: &str) -> bool {
    matches!(method, "POST" | "PUT" | "PATCH")
}

#[cfg(test)]
mod tests;
