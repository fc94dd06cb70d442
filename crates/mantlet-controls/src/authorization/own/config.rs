//! The `[[authorization.own]]` sections.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Own, Owner,
    pointer::Pointer,
    read::{self, Target},
};
use crate::{
    Mode,
    authorization::{
        circumstance::Known,
        condition::{Input, is_word},
        config::{add, read_conditions},
        evidence::{AllEvidence, RuleEvidence},
    },
    config::{Context, Mistake},
    selection::Selection,
};

/// An `[[authorization.own]]` section: whose an object is.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct OwnConfig {
    /// Path templates that it applies to, as in `[[route]]`; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub paths: Vec<String>,
    /// Methods that it applies to; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub methods: Vec<String>,
    /// Tags of operations that it applies to; none means all.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Where the owner stands: `response:/user_id`, `item:/user_id`, `path:user_id`, `query:user`,
    /// `body:/user_id`.
    pub owner: String,
    /// Where the object itself names another user whose it is, too: `response:/author_id`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub also: Option<String>,
    /// The attribute of the caller that has to be the same: `principal:id`.
    pub equals: String,
    /// Callers for whom the rule does not count: one of these conditions holds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unless: Vec<String>,
    /// Where the object is read, if not at the same path.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub read: Option<String>,
    /// What is done for methods other than GET and HEAD. Default `read-first`.
    pub writes: Writes,
    /// Where the list is in the answer: a JSON pointer. Default: the answer itself.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub items: String,
    /// What becomes of a list with an item that is not the caller's. Default `remove`.
    pub list: ListAction,
    /// A number in the answer that is lowered by the items that were removed: a JSON pointer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count: Option<String>,
    /// What becomes of a request where the owner cannot be seen. Default `refuse`.
    pub missing: Unclear,
    /// What becomes of a request where the app's answer to the reading of the object is 404. Default `refuse`.
    pub absent: Unclear,
    /// What becomes of a request where the owner is null. Default `refuse`.
    pub nulls: Unclear,
    /// The mode of this rule. Default `enforce`.
    pub mode: Mode,
}

/// What is done for methods other than GET and HEAD.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Writes {
    /// The object is read first, as the same caller.
    #[default]
    ReadFirst,
    /// The request only reads, although its method says otherwise: its answer is judged.
    Answer,
    /// The rule does not count.
    Pass,
}

/// What becomes of a list with an item that is not the caller's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ListAction {
    /// The item is removed.
    #[default]
    Remove,
    /// The whole answer is refused.
    Refuse,
}

/// What becomes of a request where the owner is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Unclear {
    /// It is refused.
    #[default]
    Refuse,
    /// It passes.
    Pass,
}

/// How the place of an owner is written.
const OWNERS: &str = "write `response:/user_id` or `item:/user_id` with a JSON pointer into the answer, `body:/user_id`, \
                      `path:user_id` or `query:user`";

pub(in crate::authorization) fn check(
    rules: &[OwnConfig],
    context: &Context,
    (known, evidence): (&Known, &AllEvidence),
    mistakes: &mut Vec<Mistake>,
) -> Selection<Arc<Own>> {
    let mut checked = Selection::default();
    for (index, config) in rules.iter().enumerate().filter(|(_, config)| config.mode != Mode::Off) {
        let at = |key: &str| format!("own[{index}].{key}");
        if config.paths.is_empty() && config.tags.is_empty() {
            let help = "name the operations that the rule is about: `paths = [\"/orders/{order_id}\"]`";
            mistakes.push(Mistake::new(at("paths"), "it is missing").help(help));
        }
        let place = format!("authorization.own[{index}]").into();
        let rule = Own {
            mode: config.mode.under(context.report_only),
            ..of_config(config, place, evidence.of(words(config)), at, known, mistakes)
        };
        let OwnConfig { paths, methods, tags, .. } = config;
        add(&mut checked, Arc::new(rule), (paths, methods, tags), at, mistakes);
    }
    checked
}

/// One rule.
pub(in crate::authorization) fn of_config(
    config: &OwnConfig,
    place: Arc<str>,
    evidence: Arc<RuleEvidence>,
    at: impl Fn(&str) -> String,
    known: &Known,
    mistakes: &mut Vec<Mistake>,
) -> Own {
    let unless = read_conditions(&config.unless, known, |number| at(&format!("unless[{number}]")), mistakes);
    let owner = owner(config).unwrap_or_else(|(key, message, help)| {
        mistakes.push(Mistake::new(at(key), message).help(help));
        Owner::Response(Pointer::default())
    });
    let equals = config.equals.strip_prefix("in ").unwrap_or(&config.equals).trim();
    let equals = equals.strip_prefix("principal:").filter(|name| is_word(name));
    if equals.is_none() {
        let message = format!("`{}` is not an attribute of the caller", config.equals);
        mistakes.push(Mistake::new(at("equals"), message).help("write `principal:id`"));
    }
    let also = config.also.as_deref().and_then(|text| {
        let help = "write `also = \"response:/author_id\"` beside `owner = \"response:/user_id\"`";
        let pointer = text.strip_prefix("response:").filter(|rest| !rest.is_empty()).and_then(Pointer::read);
        let message = match (&pointer, &owner) {
            (Some(_), Owner::Response(_)) => return pointer,
            (Some(_), _) => "it stands beside an `owner` in the app's answer for one object".to_owned(),
            (None, _) => format!("`{text}` is not a place in the app's answer for one object"),
        };
        mistakes.push(Mistake::new(at("also"), message).help(help));
        None
    });
    let target = config.read.as_deref().map(|text| {
        Target::read(text).ok_or_else(|| {
            Mistake::new(at("read"), format!("`{text}` is not a path that can be read")).help(read::FORMS)
        })
    });
    let read = target.transpose().unwrap_or_else(|mistake| {
        mistakes.push(mistake);
        None
    });
    if config.read.is_some() && !matches!(owner, Owner::Response(_)) {
        let help = "leave it out, or write `owner = \"response:/user_id\"`";
        mistakes.push(Mistake::new(at("read"), "only an answer of the app is read").help(help));
    }
    Own {
        owner,
        also,
        equals: equals.unwrap_or_default().into(),
        unless,
        read,
        writes: config.writes,
        missing: config.missing,
        nulls: config.nulls,
        absent: config.absent,
        mode: config.mode,
        place,
        evidence,
        proposed: None,
    }
}

/// What a rule says, whatever becomes of it.
pub(in crate::authorization) fn words(config: &OwnConfig) -> String {
    let OwnConfig { paths, methods, tags, owner, also, equals, read, items, .. } = config;
    format!("{paths:?} {methods:?} {tags:?} {owner} {also:?} {equals} {read:?} {items}")
}

/// The place of an owner; else the key that is wrong, what is wrong, and what to do.
fn owner(config: &OwnConfig) -> Result<Owner, (&'static str, String, &'static str)> {
    let pointer = |key: &'static str, text: &str| {
        let help = "write a JSON pointer: `/data/items`, or nothing for the whole answer";
        Pointer::read(text).ok_or_else(|| (key, format!("`{text}` is not a JSON pointer"), help))
    };
    let wrong = || ("owner", format!("`{}` is not the place of an owner", config.owner), OWNERS);
    let (place, rest) = config.owner.split_once(':').ok_or_else(wrong)?;
    let has_list = !config.items.is_empty() || config.count.is_some() || config.list != ListAction::default();
    if has_list && place != "item" {
        let key = if config.items.is_empty() { "list" } else { "items" };
        return Err((
            key,
            "it is about lists".to_owned(),
            "write `owner = \"item:/user_id\"`, or leave it out",
        ));
    }
    let word = || is_word(rest).then(|| rest.into()).ok_or_else(wrong);
    let own_pointer = || Pointer::read(rest).filter(|_| !rest.is_empty()).ok_or_else(wrong);
    match place {
        "path" => Ok(Owner::Input(Input::Path(word()?))),
        "query" => Ok(Owner::Input(Input::Query(word()?))),
        "body" => Ok(Owner::Body(own_pointer()?)),
        "response" => Ok(Owner::Response(own_pointer()?)),
        "item" => Ok(Owner::Item {
            items: pointer("items", &config.items)?,
            owner: Pointer::read(rest).ok_or_else(wrong)?,
            list: config.list,
            count: config.count.as_deref().map(|text| pointer("count", text)).transpose()?,
        }),
        _ => Err(wrong()),
    }
}
