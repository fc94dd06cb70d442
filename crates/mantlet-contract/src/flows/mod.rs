//! Which operations are sensitive: those that an attacker repeats to guess a secret, to flood a mailbox, or to gain something.
//!
//! Found from what an app says of itself: the `tokenUrl` of its security schemes; words in paths and operation ids beside an account, an address, a password or a
//! code among its inputs; an account beside a password. A word alone proves nothing: `/reset` starts a game anew, `/verify` checks a proof, `/checkout` is of a branch.
//! What only looks so is found too, and says so ([`Evidence`]).

mod taken;
mod words;

pub use self::taken::Place;
use self::{
    taken::{Taken, Value, taken},
    words::{
        OF_CODES, OF_LOGINS, WORDS, is_code, is_coupon, is_password, is_pin, is_plainly_an_account,
        is_secret, is_token, may_be_a_code, rank_of_account, words,
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
pub struct Flow {
    /// What it is for.
    pub purpose: Purpose,
    /// How that is known.
    pub evidence: Evidence,
    /// Where the account is named that it is about: the first that a request has, in this order.
    pub accounts: Vec<Place>,
    /// Not all that it takes is known: it may name an account nevertheless.
    pub may_name_more: bool,
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
pub struct Found {
    /// As the app has it, with what it is mounted below.
    pub path: String,
    /// Its methods.
    pub methods: Vec<String>,
    /// What it is.
    pub flow: Flow,
}

/// All sensitive operations of an app, in its order.
pub fn find(contract: &Contract) -> Vec<Found> {
    let roots = contract.root_path.iter().chain(&contract.prefixes);
    let roots = Roots::new(roots.map(String::as_str));
    let mut search = Search { shapes: &contract.shapes, roots, token_urls: Vec::new(), found: Vec::new() };
    search.token_urls_of(&contract.router);
    search.router("", &contract.router);
    search.found
}

struct Search<'c> {
    shapes: &'c [Shape],
    /// Root paths: a `tokenUrl` may stand with them or without.
    roots: Roots,
    /// With a slash in front, and the names of their schemes.
    token_urls: Vec<(String, &'c str)>,
    found: Vec<Found>,
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
                Route::Mount { router: Some(router), .. } => self.token_urls_of(router),
                _ => {}
            }
        }
    }

    fn router(&mut self, below: &str, router: &Router) {
        for route in &router.routes {
            match route {
                Route::Http { path, methods, operation: Some(operation), .. } => {
                    let path = format!("{below}{path}");
                    if let Some(flow) = self.flow(&path, methods, operation) {
                        // A page for a login is none, unless the account comes in its query.
                        let in_query = flow.accounts.iter().any(|place| matches!(place, Place::Query(_)));
                        let is_only_asked = !methods.iter().any(|name| changes(name));
                        let counts =
                            |name: &&String| changes(name) || is_only_asked || (in_query && *name == "GET");
                        let methods = methods.iter().filter(counts).cloned().collect();
                        self.found.push(Found { path, methods, flow });
                    }
                }
                Route::Mount { path, router: Some(router) } => self.router(&format!("{below}{path}"), router),
                _ => {}
            }
        }
    }

    fn flow(&self, path: &str, methods: &[String], operation: &Operation) -> Option<Flow> {
        let inputs = Inputs::of(self.shapes, operation);
        let flow = |purpose, evidence, why| {
            let (accounts, may_name_more) = (inputs.accounts(), !inputs.is_whole);
            Some(Flow { purpose, evidence, accounts, may_name_more, why })
        };
        let is_anonymous = operation.security.is_empty();
        if methods.iter().any(|name| changes(name)) {
            let own = path.get(self.roots.start_in(path).at..).unwrap_or(path);
            let is_it = |url: &str| url == own || url.get(self.roots.start_in(url).at..) == Some(own);
            if let Some((_, scheme)) = self.token_urls.iter().find(|(url, _)| is_it(url)) {
                return flow(Purpose::Login, Evidence::Known, format!("it is the tokenUrl of `{scheme}`"));
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
                    return flow(purpose, evidence, format!("the word `{sign}` is in its {place}"));
                }
            }
        }
        // Who is known already does not log in.
        let (account, secret) = (inputs.account()?, inputs.secret()?);
        is_anonymous.then_some(())?;
        let words = words(path);
        let is_of_login = OF_LOGINS.iter().any(|sign| words.iter().any(|word| word == sign));
        let evidence = if is_of_login { Evidence::Known } else { Evidence::Inputs };
        let place = |taken: &Taken| taken.places.first().map(Place::to_string).unwrap_or_default();
        flow(Purpose::Login, evidence, format!("it takes `{}` and `{}`", place(account), place(secret)))
    }
}

/// What an operation takes, as far as it is known.
struct Inputs {
    all: Vec<Taken>,
    is_whole: bool,
}

impl Inputs {
    fn of(shapes: &[Shape], operation: &Operation) -> Self {
        let (all, is_whole) = taken(shapes, operation);
        Self { all, is_whole }
    }

    /// Accounts, the surest first.
    fn ranked(&self) -> Vec<(usize, &Taken)> {
        let mut ranked: Vec<_> = self
            .all
            .iter()
            .filter(|taken| taken.value != Value::Other)
            .filter_map(|taken| Some((rank_of_account(&taken.name)?, taken)))
            .collect();
        ranked.sort_by_key(|(rank, _)| *rank);
        ranked
    }

    fn account(&self) -> Option<&Taken> {
        self.ranked().first().map(|(_, taken)| *taken)
    }

    /// Where the account is named. One that must be there is the account; of those that need not be, the first that is.
    fn accounts(&self) -> Vec<Place> {
        let ranked = self.ranked();
        let must = ranked.first().filter(|(_, taken)| taken.is_required);
        let ranked = must.map_or(&ranked[..], std::slice::from_ref);
        ranked.iter().flat_map(|(_, taken)| taken.places.iter().cloned()).collect()
    }

    fn secret(&self) -> Option<&Taken> {
        self.all.iter().find(|taken| taken.value != Value::Other && is_secret(&taken.name))
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
                is_code(&taken.name)
                    || (may_be_a_code(&taken.name) && (is_of_codes || taken.value == Value::Short))
            })
        };
        // Rooms, archives and shared notes have passwords, too: it shows an account only beside something that stands for one.
        let has_account_with_secret = || {
            let stands_for_one = |taken: &Taken| may_be_a_code(&taken.name) || is_token(&taken.name);
            self.has_secret() && (self.account().is_some() || self.has(stands_for_one))
        };
        // A board has pins as well, and `/pin` says no more than its field of that name.
        let has_pin = || sign != "pin" && self.has(|taken| is_pin(&taken.name));
        match purpose {
            Purpose::Login => self.has_secret() || has_account() || has_code(),
            Purpose::Verify => {
                has_account()
                    || has_code()
                    || has_pin()
                    || has_account_with_secret()
                    || (!is_anonymous && self.has(|taken| is_password(&taken.name)))
            }
            Purpose::Reset => is_anonymous && (has_account() || has_code() || has_account_with_secret()),
            Purpose::Register | Purpose::Checkout => {
                is_anonymous && (has_account() || has_account_with_secret())
            }
            Purpose::Redeem => self.has(|taken| is_coupon(&taken.name)) || has_account(),
        }
    }
}

/// Where the values stand that an operation takes, and whether that is all of it.
pub fn places(contract: &Contract, operation: &Operation) -> (Vec<Place>, bool) {
    let (taken, is_whole) = taken(&contract.shapes, operation);
    (taken.into_iter().flat_map(|taken| taken.places).collect(), is_whole)
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
