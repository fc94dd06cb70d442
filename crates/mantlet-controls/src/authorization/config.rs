//! The `[authorization]` section.

use std::sync::Arc;

use http::Uri;
use serde::{Deserialize, Serialize};

use super::{
    Policy, Rule,
    caller::Callers,
    circumstance::Known,
    condition::Condition,
    countries,
    enumeration::EnumerationConfig,
    evidence::AllEvidence,
    files::{ConditionFile, FileContent, Holds},
    network::{self, NetworkConfig},
    own::{self, OwnConfig, absent::Times},
    proposed::Proposed,
    ranges::Fault,
};
use crate::{
    Mode,
    config::{Context, Mistake, Posture, Section, template::methods},
    selection::{Selection, Target},
};

/// The `[authorization]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct Config {
    /// What becomes of a request whose token lacks scopes that the contract declares for the
    /// operation. Default `report`: it is recorded if the app accepts it; in strict posture `enforce`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub scopes: Option<Mode>,
    /// Who may do something. Every other caller is refused.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub allow: Vec<RuleConfig>,
    /// Who may not do something, whatever `allow` says.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub deny: Vec<RuleConfig>,
    /// Whose objects are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub own: Vec<OwnConfig>,
    /// Whether the rules that the app's tables propose are compared with its answers. Default no; in strict
    /// posture yes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub learn: Option<bool>,
    /// Callers that ask for ids which no answer has shown them.
    #[serde(skip_serializing_if = "is_default")]
    pub enumeration: EnumerationConfig,
    /// The operation that tells a caller about itself: `/users/me`. Default: the one that the contract shows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub me: Option<String>,
    /// Lists of networks that conditions name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub network: Vec<NetworkConfig>,
    /// A database of countries (`.mmdb`), read again when it changes. Default none.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub country_database: String,
    /// Its content.
    #[serde(skip)]
    pub country_content: FileContent,
}

/// An `[[authorization.allow]]` or `[[authorization.deny]]` section.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RuleConfig {
    /// Path templates that it applies to, as in `[[route]]`; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Methods that it applies to; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Tags of operations that it applies to; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Conditions; one has to hold. `allow` needs at least one; for `deny` none means any caller.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub who: Vec<String>,
    /// Exceptions: the rule does not hold if one of these conditions does.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<String>,
    /// The mode of this rule. Default `enforce`.
    pub mode: Mode,
    /// Whether a refusal looks like that of a path that does not exist (404). Default no.
    pub hide: bool,
}

impl Section for Config {
    type Policy = Policy;

    fn off() -> Self {
        Self { scopes: Some(Mode::Off), learn: Some(false), ..Self::default() }
    }

    fn check(&self, context: &Context) -> Result<Policy, Vec<Mistake>> {
        let mut mistakes = Vec::new();
        let scopes = self.scopes.unwrap_or_else(|| context.posture.of_suspicion()).under(context.report_only);
        let (mut known, mut files) = (Known::default(), Vec::new());
        network::check(&self.network, &mut known, &mut files, &mut mistakes);
        if !self.country_database.is_empty() {
            let slot = countries::Slot::default();
            let (path, holds) = (&*self.country_database, Holds::Countries(Arc::clone(&slot)));
            let key = "authorization.country-database".to_owned();
            match ConditionFile::new(path, key, holds, &self.country_content) {
                Ok(file) => files.push(Arc::new(file)),
                Err(Fault::File(what) | Fault::Wanted(_, what)) => {
                    let help = "name a file with a database such as GeoLite2 Country";
                    mistakes.push(Mistake::new("country-database", format!("`{path}` {what}")).help(help));
                }
            }
            known.countries = Some(slot);
        }
        let allow = check(&self.allow, "allow", context, &known, &mut mistakes);
        let deny = check(&self.deny, "deny", context, &known, &mut mistakes);
        let evidence: AllEvidence = context.deployment.kept.get();
        let own = own::check(&self.own, context, (&known, &evidence), &mut mistakes);
        let enumeration =
            self.enumeration.check(context.report_only, context.deployment.kept.get(), &mut mistakes);
        let me = self.me.as_deref().map(|text| {
            let is_path = text.starts_with('/') && !text.contains('{') && text.parse::<Uri>().is_ok();
            is_path.then(|| text.into()).ok_or_else(|| {
                Mistake::new("me", format!("`{text}` is not a path")).help("write `/users/me`")
            })
        });
        let me = me.transpose().unwrap_or_else(|mistake| {
            mistakes.push(mistake);
            None
        });
        if !mistakes.is_empty() {
            return Err(mistakes);
        }
        let of_rules = allow.all().chain(deny.all()).flat_map(Rule::attributes);
        let names = of_rules.chain(own.all().flat_map(|own| own.attributes())).map(Into::into);
        let callers = Callers::about(names.collect());
        let proposed =
            Proposed::new(self.learn.unwrap_or(context.posture == Posture::Strict), context, evidence);
        Ok(Policy {
            scopes,
            allow,
            deny,
            own,
            proposed,
            me,
            enumeration,
            callers,
            times: Times::default(),
            files,
        })
    }
}

/// Conditions, as far as they are some.
pub(super) fn read_conditions(
    texts: &[String],
    known: &Known,
    at: impl Fn(usize) -> String,
    mistakes: &mut Vec<Mistake>,
) -> Vec<Condition> {
    let mut read = Vec::new();
    for (number, text) in texts.iter().enumerate() {
        match Condition::read(text, known) {
            Ok(condition) => read.push(condition),
            Err(why) => mistakes.push(Mistake::new(at(number), why.message).help(why.help)),
        }
    }
    read
}

fn check(
    rules: &[RuleConfig],
    list: &str,
    context: &Context,
    known: &Known,
    mistakes: &mut Vec<Mistake>,
) -> Selection<Rule> {
    let mut checked = Selection::default();
    for (index, config) in rules.iter().enumerate().filter(|(_, config)| config.mode != Mode::Off) {
        let at = |key: &str| format!("{list}[{index}].{key}");
        let mut conditions = |key: &str, texts: &[String]| {
            read_conditions(texts, known, |number| at(&format!("{key}[{number}]")), mistakes)
        };
        let (who, unless) = (conditions("who", &config.who), conditions("unless", &config.unless));
        if list == "allow" && config.who.is_empty() {
            let help = "write `who = [\"authenticated\"]`, or use `[[authorization.deny]]`";
            mistakes
                .push(Mistake::new(at("who"), "it is missing, so every caller would be refused").help(help));
        }
        let mode = config.mode.under(context.report_only);
        let place = format!("authorization.{list}[{index}]").into();
        let rule = Rule { who, unless, mode, hide: config.hide, place };
        let RuleConfig { paths, methods, tags, .. } = config;
        add(&mut checked, rule, (paths, methods, tags), at, mistakes);
    }
    checked
}

/// Adds a rule for these paths, methods and tags, as far as they are some.
pub(super) fn add<T>(
    checked: &mut Selection<T>,
    rule: T,
    (paths, names, tags): (&[String], &[String], &[String]),
    at: impl Fn(&str) -> String,
    mistakes: &mut Vec<Mistake>,
) {
    let methods = methods(names);
    if methods.is_none() {
        mistakes.push(Mistake::of_methods(at("methods")));
    }
    let target = Target { paths, methods: methods.unwrap_or_default(), tags };
    if let Err(message) = checked.add(rule, &target) {
        mistakes.push(Mistake::of_template(at("paths"), message));
    }
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
