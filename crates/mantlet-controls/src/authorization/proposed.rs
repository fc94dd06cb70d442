//! Rules about owners that the app's own tables propose. They refuse nothing: what they would say is
//! counted, until the operator takes them over. In strict posture one that traffic has confirmed is
//! enforced.

use std::sync::Arc;

use arc_swap::ArcSwapOption;
use http::Method;
use mantlet_contract::objects::Proposal;
use serde::Serialize;

use super::{
    circumstance::Known,
    evidence::{AllEvidence, Counted, Evidence, Verdict},
    own::{self, Own, OwnConfig, Unclear},
    own_of,
};
use crate::{
    Call, Mode,
    config::{Context, Posture},
    operation::Contract,
    selection::Selection,
};

/// The rules of the contract in force.
#[derive(Debug)]
pub(super) struct Proposed {
    is_on: bool,
    context: Context,
    evidence: AllEvidence,
    compiled: ArcSwapOption<Compiled>,
}

#[derive(Debug)]
struct Compiled {
    contract: Arc<Contract>,
    /// They only report.
    rules: Selection<Arc<Own>>,
    /// The same, enforced.
    enforced: Selection<Arc<Own>>,
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
    /// What traffic says.
    pub counted: Counted,
}

impl Proposed {
    pub(super) fn new(is_on: bool, context: &Context, evidence: AllEvidence) -> Self {
        Self { is_on, context: context.clone(), evidence, compiled: ArcSwapOption::empty() }
    }

    /// The rules for a request whose verdict is to be learned from. Nothing for most requests.
    pub(super) fn of(&self, call: &Call, query: Option<&str>) -> Vec<Arc<Own>> {
        let Some(compiled) = self.compiled_for(call) else { return Vec::new() };
        let rules = own_of(&compiled.rules, call);
        let rules = rules.filter(|rule| rule.counts_for(call, query) && rule.evidence.is_due());
        rules.cloned().collect()
    }

    /// The rules for a request that are enforced without a line of configuration.
    pub(super) fn enforced(
        &self,
        call: &Call,
        query: Option<&str>,
        has: &dyn Fn(&Own) -> bool,
    ) -> Vec<Arc<Own>> {
        if self.context.posture != Posture::Strict || self.context.report_only {
            return Vec::new();
        }
        let Some(compiled) = self.compiled_for(call) else { return Vec::new() };
        let rules = own_of(&compiled.enforced, call);
        let is_sure = |rule: &&Arc<Own>| !has(rule) && rule.evidence.verdict() == Verdict::Confirmed;
        rules.filter(is_sure).filter(|rule| rule.counts_for(call, query)).cloned().collect()
    }

    /// Attributes of the caller that its credential does not say, and that may decide a rule for this
    /// request.
    pub(super) fn ask_about(&self, call: &Call) -> bool {
        let Some(compiled) = self.compiled_for(call) else { return false };
        let mut rules = own_of(&compiled.rules, call);
        rules.any(|rule| rule.asks_about(call))
    }

    fn compiled_for(&self, call: &Call) -> Option<Arc<Compiled>> {
        let contract = &call.operation.as_ref()?.contract;
        if !self.is_on
            || contract.proposals().is_empty()
            || !matches!(call.method, Method::GET) && !self.is_strict()
        {
            return None;
        }
        if let Some(compiled) =
            self.compiled.load_full().filter(|known| Arc::ptr_eq(&known.contract, contract))
        {
            return Some(compiled);
        }
        let compiled = Arc::new(self.compile(contract));
        self.compiled.store(Some(Arc::clone(&compiled)));
        Some(compiled)
    }

    fn is_strict(&self) -> bool {
        self.context.posture == Posture::Strict
    }

    fn compile(&self, contract: &Arc<Contract>) -> Compiled {
        let rules = |mode: Mode| {
            let configs: Vec<_> = contract
                .proposals()
                .iter()
                .filter(|one| is_whole(one))
                .map(|one| config(one, mode))
                .collect();
            // What cannot be compiled is left out: it is only a proposal.
            own::check(
                &configs,
                "proposed",
                &self.context,
                (&Known::default(), &self.evidence),
                &mut Vec::new(),
            )
        };
        Compiled {
            contract: Arc::clone(contract),
            rules: rules(Mode::Report),
            enforced: rules(Mode::Enforce),
        }
    }

    /// All of them that the configuration does not have, with what is known.
    pub(super) fn told(&self, contract: &Contract, has: &dyn Fn(&Arc<Evidence>) -> bool) -> Vec<Told> {
        let numbered = contract.proposals().iter().enumerate().map(|(number, proposal)| {
            (number, proposal, self.evidence.of(own::words(&config(proposal, Mode::Report))))
        });
        let new = numbered.filter(|(_, _, evidence)| !has(evidence));
        let told = new.map(|(number, proposal, evidence)| Told {
            rule: (number + 1).to_string(),
            toml: proposal.to_toml(),
            mode: "proposed".to_owned(),
            counted: evidence.counted(),
        });
        told.collect()
    }
}

/// Whether nothing has to be added before it works.
fn is_whole(proposal: &Proposal) -> bool {
    proposal.missing.is_empty()
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
