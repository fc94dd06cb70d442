//! Rules about owners that the app's own tables propose. They refuse nothing: what they would say is
//! counted, until the operator takes them over.
//!
//! In strict posture one is enforced by itself, at one operation, if
//! 1. a mapper says that a column leads to the user, and the name of the column that it is the owner;
//! 2. the declared answer shows the owner ([`Proposal::is_sure`] knows of these two);
//! 3. traffic of this operation has confirmed it for a day ([`super::evidence`]);
//! 4. the configuration says nothing of whose its objects are.

use std::{collections::HashMap, sync::Arc};

use arc_swap::ArcSwapOption;
use http::Method;
use mantlet_contract::{objects::Proposal, routes::HttpRoute};
use serde::Serialize;

use super::{
    circumstance::Known,
    evidence::{AllEvidence, Counted, Evidence, RuleEvidence, operation},
    own::{self, Own, OwnConfig, Unclear},
};
use crate::{
    Call, Mode,
    config::{Context, Posture, template::as_get},
    operation::{Contract, address},
};

/// The mode of a rule that is not in the configuration.
pub(super) const PROPOSED: &str = "proposed";

/// The rules of the contract in force.
#[derive(Debug)]
pub(super) struct Proposed {
    is_on: bool,
    context: Context,
    evidence: AllEvidence,
    compiled: ArcSwapOption<Compiled>,
}

/// The rules of a contract by operation: what a request costs does not depend on their number.
#[derive(Debug)]
struct Compiled {
    contract: Arc<Contract>,
    rules: HashMap<(usize, Method), OfOperation>,
}

/// The rule for an operation: of several that are proposed, the first.
#[derive(Debug)]
struct OfOperation {
    /// It only learns.
    learning: Arc<Own>,
    /// The same, enforced; none if it never is by itself.
    enforced: Option<Arc<Own>>,
    evidence: Arc<Evidence>,
}

/// A rule, and what is known of it.
#[derive(Debug, Clone, Serialize)]
#[serde(rename_all = "kebab-case")]
pub struct Told {
    /// Where it stands in the configuration; a number if it is only proposed.
    pub rule: String,
    /// Its lines.
    pub toml: String,
    /// `proposed`, or its mode.
    pub mode: String,
    /// What traffic says, for each operation.
    pub counted: Vec<Counted>,
}

impl OfOperation {
    /// The rule that is enforced without a line of configuration.
    fn in_force(&self) -> Option<&Arc<Own>> {
        self.enforced.as_ref().filter(|_| self.evidence.is_enforced())
    }
}

impl Proposed {
    pub(super) fn new(is_on: bool, context: &Context, evidence: AllEvidence) -> Self {
        Self { is_on, context: context.clone(), evidence, compiled: ArcSwapOption::empty() }
    }

    /// The rule for a request whose verdict is to be learned from. None for most requests.
    pub(super) fn learning(&self, call: &Call, query: Option<&str>) -> Option<Arc<Own>> {
        let is_learned_from = matches!(call.method, Method::GET) || (self.reads() && !call.method.is_safe());
        let is_due = |one: &OfOperation| one.learning.counts_for(call, query) && one.evidence.is_due();
        self.with(call, |one| (is_learned_from && is_due(one)).then(|| Arc::clone(&one.learning)))
    }

    /// The rule for a request that is enforced without a line of configuration.
    pub(super) fn enforced(&self, call: &Call, query: Option<&str>) -> Option<Arc<Own>> {
        self.with(call, |one| one.in_force().filter(|rule| rule.counts_for(call, query)).map(Arc::clone))
    }

    /// Attributes of the caller that its credential does not say, and that may decide a rule for this
    /// request.
    pub(super) fn ask_about(&self, call: &Call) -> bool {
        let is_asked = matches!(call.method, Method::GET) || self.reads();
        self.with(call, |one| (is_asked && one.learning.asks_about(call)).then_some(())).is_some()
    }

    /// The same, of the rule that is enforced.
    pub(super) fn enforced_asks_about(&self, call: &Call) -> bool {
        self.with(call, |one| one.in_force().filter(|rule| rule.asks_about(call)).map(|_| ())).is_some()
    }

    /// Whether rules are proposed at all.
    pub(super) const fn is_on(&self) -> bool {
        self.is_on
    }

    /// Whether objects are read to learn from requests whose answer does not show the owner. Once the rule is
    /// enforced they are read, too.
    pub(super) fn reads(&self) -> bool {
        self.context.posture == Posture::Strict
    }

    fn with<T>(&self, call: &Call, then: impl FnOnce(&OfOperation) -> Option<T>) -> Option<T> {
        let matched = call.operation.as_ref()?;
        if !self.is_on || matched.contract.proposals().is_empty() || call.opens_websocket {
            return None;
        }
        let known = self.compiled.load();
        let known = known.as_ref().filter(|known| Arc::ptr_eq(&known.contract, &matched.contract));
        let method = as_get(&call.method).unwrap_or(&call.method);
        let place = (address(&matched.route), method.clone());
        if let Some(compiled) = known {
            return compiled.rules.get(&place).and_then(then);
        }
        let compiled = Arc::new(self.compile(&matched.contract));
        self.compiled.store(Some(Arc::clone(&compiled)));
        compiled.rules.get(&place).and_then(then)
    }

    fn compile(&self, contract: &Arc<Contract>) -> Compiled {
        let mut rules = HashMap::new();
        for (number, proposal) in contract.proposals().iter().enumerate() {
            let (Some(learning), Some(enforced)) =
                (self.rule(number, proposal, Mode::Report), self.rule(number, proposal, Mode::Enforce))
            else {
                continue;
            };
            let enforced = Some(enforced).filter(|_| self.is_by_itself(proposal));
            for (route, method) in operations(contract, proposal) {
                if let Some(evidence) = learning.evidence.of(&method, route.own_path()) {
                    let (learning, enforced) = (Arc::clone(&learning), enforced.clone());
                    rules.entry((address(route), method)).or_insert(OfOperation {
                        learning,
                        enforced,
                        evidence,
                    });
                }
            }
        }
        Compiled { contract: Arc::clone(contract), rules }
    }

    /// None if something has to be added before it works.
    fn rule(&self, number: usize, proposal: &Proposal, mode: Mode) -> Option<Arc<Own>> {
        let config = config(proposal, mode);
        let (evidence, mut mistakes) = (self.of(&config), Vec::new());
        let (place, number) = (format!("proposed rule {}", number + 1), number + 1);
        let by_itself = self.is_by_itself(proposal);
        let mut rule =
            own::of_config(&config, place.into(), evidence, str::to_owned, &Known::default(), &mut mistakes);
        rule.proposed = Some(own::Proposed { number, by_itself });
        (proposal.missing.is_empty() && mistakes.is_empty()).then(|| Arc::new(rule))
    }

    /// Whether it is enforced without a line of configuration once it is confirmed.
    fn is_by_itself(&self, proposal: &Proposal) -> bool {
        self.context.posture == Posture::Strict && !self.context.report_only && proposal.is_sure()
    }

    fn of(&self, config: &OwnConfig) -> Arc<RuleEvidence> {
        self.evidence.of(own::words(config))
    }

    /// All of them that the configuration does not have, with what is known.
    pub(super) fn told(&self, contract: &Contract, has: &dyn Fn(&Arc<RuleEvidence>) -> bool) -> Vec<Told> {
        let mut told = Vec::new();
        for (number, proposal) in contract.proposals().iter().enumerate() {
            let evidence = self.of(&config(proposal, Mode::Report));
            if has(&evidence) {
                continue;
            }
            let by_itself = self.is_on && self.is_by_itself(proposal);
            let counted = operations(contract, proposal).into_iter().filter_map(|(route, method)| {
                let path = route.own_path();
                Some(evidence.of(&method, path)?.counted(operation(&method, path), by_itself))
            });
            told.push(Told {
                rule: (number + 1).to_string(),
                toml: proposal.to_toml(),
                mode: PROPOSED.to_owned(),
                counted: counted.filter(|_| proposal.missing.is_empty()).collect(),
            });
        }
        told
    }
}

/// The operations of a proposal.
fn operations<'c>(contract: &'c Contract, proposal: &Proposal) -> Vec<(&'c Arc<HttpRoute>, Method)> {
    let is_named = |method: &str| {
        // It is judged, and counted, as GET is.
        method != "HEAD" && (proposal.methods.is_empty() || proposal.methods.iter().any(|own| own == method))
    };
    let mut found = Vec::new();
    for path in &proposal.paths {
        for route in contract.routes().http().filter(|route| route.own_path() == path) {
            let named = route.methods.iter().filter(|method| is_named(method));
            found.extend(named.filter_map(|own| Some((route, Method::from_bytes(own.as_bytes()).ok()?))));
        }
    }
    found
}

const fn passes(is_it: bool) -> Unclear {
    if is_it { Unclear::Pass } else { Unclear::Refuse }
}

/// The rule of a proposal. Callers with a role are left out: what they may see is not known.
fn config(proposal: &Proposal, mode: Mode) -> OwnConfig {
    OwnConfig {
        paths: proposal.paths.clone(),
        methods: proposal.methods.clone(),
        owner: proposal.owner.clone(),
        also: proposal.also.clone(),
        equals: proposal.equals.clone(),
        unless: proposal.roles.clone(),
        read: proposal.read.clone(),
        items: proposal.items.clone().unwrap_or_default(),
        count: proposal.count.clone(),
        missing: passes(proposal.passes_missing),
        nulls: passes(proposal.passes_nulls),
        mode,
        ..OwnConfig::default()
    }
}
