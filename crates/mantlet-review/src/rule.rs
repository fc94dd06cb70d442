//! What is looked for: the tables of rules, and the rows they belong to.
//!
//! An id is never renamed: it stands in baselines, in SARIF and in people's notes.

use serde::Serialize;

/// How bad it is, the mildest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Level {
    /// Good to know.
    Info,
    /// A hint, or something that helps an attacker who has found something else.
    Low,
    /// A protection that a production app should have is missing.
    Medium,
    /// Others can read, change or stop what they must not.
    High,
    /// Everybody can, without an account.
    Critical,
}

impl Level {
    /// All levels, the mildest first.
    pub const ALL: [Self; 5] = [Self::Info, Self::Low, Self::Medium, Self::High, Self::Critical];

    /// As it is written.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Info => "info",
            Self::Low => "low",
            Self::Medium => "medium",
            Self::High => "high",
            Self::Critical => "critical",
        }
    }
}

/// A row of the OWASP API Security Top 10, edition of 2023.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Owasp {
    /// Broken object level authorization.
    Api1,
    /// Broken authentication.
    Api2,
    /// Broken object property level authorization.
    Api3,
    /// Unrestricted resource consumption.
    Api4,
    /// Broken function level authorization.
    Api5,
    /// Unrestricted access to sensitive business flows.
    Api6,
    /// Server side request forgery.
    Api7,
    /// Security misconfiguration.
    Api8,
    /// Improper inventory management.
    Api9,
    /// Unsafe consumption of APIs.
    Api10,
}

impl Owasp {
    /// All rows, in their order.
    pub const ALL: [Self; 10] = [
        Self::Api1,
        Self::Api2,
        Self::Api3,
        Self::Api4,
        Self::Api5,
        Self::Api6,
        Self::Api7,
        Self::Api8,
        Self::Api9,
        Self::Api10,
    ];

    /// As OWASP writes it: `API1:2023`.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Api1 => "API1:2023",
            Self::Api2 => "API2:2023",
            Self::Api3 => "API3:2023",
            Self::Api4 => "API4:2023",
            Self::Api5 => "API5:2023",
            Self::Api6 => "API6:2023",
            Self::Api7 => "API7:2023",
            Self::Api8 => "API8:2023",
            Self::Api9 => "API9:2023",
            Self::Api10 => "API10:2023",
        }
    }

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Api1 => "Broken Object Level Authorization",
            Self::Api2 => "Broken Authentication",
            Self::Api3 => "Broken Object Property Level Authorization",
            Self::Api4 => "Unrestricted Resource Consumption",
            Self::Api5 => "Broken Function Level Authorization",
            Self::Api6 => "Unrestricted Access to Sensitive Business Flows",
            Self::Api7 => "Server Side Request Forgery",
            Self::Api8 => "Security Misconfiguration",
            Self::Api9 => "Improper Inventory Management",
            Self::Api10 => "Unsafe Consumption of APIs",
        }
    }
}

/// A row of the checklist for production.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Practice {
    /// HTTPS and HSTS.
    Https,
    /// Security headers.
    Headers,
    /// CORS.
    Cors,
    /// Short-lived tokens, and secrets that are rotated.
    Tokens,
    /// Validated input.
    Input,
    /// Constrained uploads.
    Uploads,
    /// Rate limits and quotas.
    Limits,
    /// Logged events.
    Logging,
    /// Pinned and audited dependencies.
    Dependencies,
    /// Minimal images.
    Images,
}

impl Practice {
    /// All rows, in the order of the checklist.
    pub const ALL: [Self; 10] = [
        Self::Https,
        Self::Headers,
        Self::Cors,
        Self::Tokens,
        Self::Input,
        Self::Uploads,
        Self::Limits,
        Self::Logging,
        Self::Dependencies,
        Self::Images,
    ];

    /// Its name in reports.
    pub const fn id(self) -> &'static str {
        match self {
            Self::Https => "https",
            Self::Headers => "headers",
            Self::Cors => "cors",
            Self::Tokens => "tokens",
            Self::Input => "input",
            Self::Uploads => "uploads",
            Self::Limits => "limits",
            Self::Logging => "logging",
            Self::Dependencies => "dependencies",
            Self::Images => "images",
        }
    }

    /// Its title.
    pub const fn title(self) -> &'static str {
        match self {
            Self::Https => "HTTPS and HSTS",
            Self::Headers => "Security headers",
            Self::Cors => "CORS",
            Self::Tokens => "Short-lived tokens and rotated secrets",
            Self::Input => "Validated input",
            Self::Uploads => "Constrained uploads",
            Self::Limits => "Rate limits and quotas",
            Self::Logging => "Logged security events",
            Self::Dependencies => "Pinned and audited dependencies",
            Self::Images => "Minimal images",
        }
    }
}

/// What is looked for.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Its name for good, in kebab case.
    pub id: &'static str,
    /// How bad a finding is, unless the finding itself says otherwise.
    pub level: Level,
    /// The row of the Top 10.
    pub owasp: Owasp,
    /// The row of the checklist, if one asks for it.
    pub practice: Option<Practice>,
    /// The weakness, by its number in the Common Weakness Enumeration.
    pub cwe: u16,
    /// What is wrong, in a few words, as a title.
    pub title: &'static str,
    /// What an attacker gains by it.
    pub why: &'static str,
    /// What to do, in general.
    pub remedy: &'static str,
}

impl Rule {
    /// The worst level of a finding: some are worse than most, for what is known of them.
    pub fn worst(&self) -> Level {
        match self.id {
            // Without a login.
            "object-without-rule"
            | "object-changed-by-another"
            | "function-of-administrators"
            // By its score, or because the package itself is the attack.
            | "vulnerable-dependency" => Level::Critical,
            // With a value that is plainly a secret.
            "environment-file-committed" => Level::High,
            // For more than a month.
            "long-lived-token" => Level::Medium,
            _ => self.level,
        }
    }
}

macro_rules! rules {
    ($($name:ident = $id:literal, $level:ident, $owasp:ident, $practice:expr, $cwe:literal,
        $title:literal, $why:literal, $remedy:literal;)+) => {
        $(
            #[doc = $title]
            pub static $name: Rule = Rule {
                id: $id,
                level: Level::$level,
                owasp: Owasp::$owasp,
                practice: $practice,
                cwe: $cwe,
                title: $title,
                why: $why,
                remedy: $remedy,
            };
        )+

        /// The rules of this table, in its order.
        pub static ALL: &[&Rule] = &[$(&$name,)+];
    };
}

pub mod api;
pub mod baseline;
pub mod live;
pub mod project;

/// Every rule, by table.
pub fn all() -> impl Iterator<Item = &'static Rule> {
    [api::ALL, live::ALL, project::ALL, baseline::ALL].into_iter().flatten().copied()
}

/// The rule with an id.
pub fn by_id(id: &str) -> Option<&'static Rule> {
    all().find(|rule| rule.id == id)
}
