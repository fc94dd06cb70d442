//! What each caller is shown: the answers of the operations that only read, and the objects in them.

use std::collections::{BTreeMap, BTreeSet};

use mantlet_contract::objects::{Place, Proposal};
use serde_json::Value;

use super::{
    answers::{self, Item, field_of, leaves, scalar},
    asker::{Asker, Exchange, Identity},
    operations::{Known, Parameter, Special, encoded, text_of, with_query},
    values::{Amount, Maker},
    words::{is_email, is_user, is_username, names_owner, noun_of_id, rank_of_key, simple},
};
use crate::{exchange::Question, finding::Finding, rule::live as rules};

/// Rounds in which ids of answers lead to further answers.
const ROUNDS: usize = 3;
/// Ids that are tried for one operation while looking around.
const IDS: usize = 2;
/// Pages of a list that are read.
const PAGES: u64 = 10;

/// What one caller is shown.
#[derive(Default)]
pub(super) struct Seen {
    /// By operation and target.
    pub(super) answers: BTreeMap<(usize, String), Exchange>,
    pub(super) items: Vec<Item>,
    /// Operations whose lists have more than was read.
    pub(super) cut: BTreeSet<usize>,
    /// By what the app knows the caller: id, name, address.
    pub(super) names: BTreeSet<String>,
}

/// Values for the parameters of a path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Filling {
    pub(super) values: Vec<String>,
    /// One of the objects was only mentioned by another one: it may be of a catalogue.
    pub(super) is_mentioned: bool,
}

/// The app, as its contract describes it.
pub(super) struct App<'c> {
    pub(super) known: Vec<Known<'c>>,
    pub(super) maker: Maker<'c>,
    /// Rules about whose objects are, which follow from the contract.
    pub(super) proposals: Vec<Proposal>,
}

impl App<'_> {
    /// A finding about an object, with what closes it: a rule that surely follows from the contract; or else what the author
    /// has to do, which depends on what the app says of the object.
    pub(super) fn closed(&self, finding: Finding, known: &Known<'_>, object: Option<&Value>) -> Finding {
        let place = Place { path: known.path.clone(), methods: vec![known.method.as_str().to_owned()] };
        if let Some(rule) =
            self.proposals.iter().find(|proposal| proposal.is_sure() && proposal.is_for(&place))
        {
            return finding.closed_by(rule.to_toml());
        }
        let rule = finding.rule;
        if *rule != rules::OBJECT_OF_ANOTHER && *rule != rules::OBJECT_CHANGED_BY_ANOTHER {
            return finding.mended_by(rule.remedy);
        }
        finding.mended_by(match self.owner_at(known, object) {
            Some(keys) => format!(
                "Add an `[[authorization.own]]` rule with {keys}, or check the owner in the handler and answer 404."
            ),
            None => "Check the owner in the handler, and answer 404. The gate cannot do so yet: no answer says whose \
                     the object is. With the owner's id in it, an `[[authorization.own]]` rule could compare that."
                .to_owned(),
        })
    }

    /// Where a rule of the gate finds the owner of an object: in the answer, in the path, or in what the object belongs to.
    fn owner_at(&self, known: &Known<'_>, object: Option<&Value>) -> Option<String> {
        let pointer = |place: &String| place.replace('.', "/");
        let shown = object.map(leaves).unwrap_or_default();
        // Not one of a list.
        let is_single = |place: &str| !place.split('.').any(|step| step.parse::<usize>().is_ok());
        let mut shown = shown.iter().filter(|(place, value)| is_single(place) && scalar(value).is_some());
        if let Some((place, _)) = shown.clone().find(|(place, _)| names_owner(place)) {
            return Some(format!("`owner = \"response:{}\"`", pointer(place)));
        }
        let of_user =
            known.parameters.iter().find(|parameter| parameter.kinds.iter().any(|kind| is_user(kind)));
        if let Some(parameter) = of_user {
            return Some(format!("`owner = \"path:{}\"`", parameter.name));
        }
        shown.find_map(|(place, _)| {
            let noun = noun_of_id(field_of(place))?;
            let above = self.known.iter().find(|one| {
                let [parameter] = one.parameters.as_slice() else { return false };
                one.is_safe() && one.is_about_itself() && parameter.kinds.contains(&noun)
            })?;
            let parameter = &above.parameters.first()?.name;
            let fields = super::properties::declared(&self.maker, above)?;
            let owner = fields.into_iter().find(|name| names_owner(name))?;
            let read =
                above.path.replace(&format!("{{{parameter}}}"), &format!("{{response:{}}}", pointer(place)));
            Some(format!("`owner = \"response:/{owner}\"` and `read = \"{read}\"`"))
        })
    }

    /// Asks as a caller for everything that can be read without changing anything. What says that it is for administrators
    /// is left to those: what it shows to others is a finding of its own, and makes nothing public.
    pub(super) async fn explore(&self, asker: &mut Asker<'_>, caller: Option<&Identity>, seen: &mut Seen) {
        let is_administrator = caller.is_some_and(Identity::is_administrator);
        for _ in 0..ROUNDS {
            let before = seen.answers.len();
            for (at, known) in self.known.iter().enumerate() {
                if !known.is_safe()
                    || known.may_be_for_administrators() && !is_administrator && caller.is_some()
                {
                    continue;
                }
                for filling in self.fillings(seen, known, IDS) {
                    if asker.is_over() {
                        return;
                    }
                    self.read(asker, caller, at, &filling.values, seen).await;
                }
            }
            if seen.answers.len() == before {
                break;
            }
        }
        self.learn_names(seen, caller);
    }

    /// Asks one operation, once for each target, and all pages of what it lists.
    pub(super) async fn read(
        &self,
        asker: &mut Asker<'_>,
        caller: Option<&Identity>,
        at: usize,
        values: &[String],
        seen: &mut Seen,
    ) -> Option<()> {
        let known = self.known.get(at)?;
        let question = self.first_page(known, values)?;
        let size = known.page_size(&self.maker);
        let mut page = 0;
        loop {
            let mut question = question.clone();
            if let (Some((name, is_page)), true) = (known.next_page(), page > 0) {
                let most = size.as_ref().map_or(20, |(_, most)| *most);
                let at = if is_page { page + 1 } else { page * most };
                question = with_query(question, &name, &at.to_string());
            }
            let key = (at, question.target.clone());
            if seen.answers.contains_key(&key) {
                return Some(());
            }
            let exchange = asker.ask(&known.name(), caller, question).await?;
            let body = exchange.answer.json().filter(|_| exchange.is_success());
            seen.answers.insert(key.clone(), exchange);
            let Some(body) = body else { return Some(()) };
            let items = answers::items(known, at, &key.1, &body);
            let listed = items.iter().filter(|item| item.is_listed).count();
            let asked_for = size.as_ref().map(|(_, most)| *most);
            let is_new = items.iter().any(|item| !seen.items.iter().any(|old| old.object == item.object));
            seen.items.extend(items);
            if listed == 0
                || answers::is_whole(&body, listed + usize::try_from(page).ok()? * listed, asked_for)
            {
                return Some(());
            }
            page += 1;
            if known.next_page().is_none() || page >= PAGES {
                seen.cut.insert(at);
                return Some(());
            }
            if !is_new {
                return Some(());
            }
        }
    }

    /// The name and the address of a user who does not exist.
    pub(super) fn stranger(&self) -> (String, String) {
        let name = self.maker.text();
        let address = format!("{name}@example.com");
        (name, address)
    }

    /// A request for as much as the app shows at once.
    pub(super) fn first_page(&self, known: &Known<'_>, values: &[String]) -> Option<Question> {
        let question = known.request(&self.maker, values, Amount::Required, &|_| Vec::new())?;
        Some(match known.page_size(&self.maker) {
            Some((name, most)) => with_query(question, &name, &most.to_string()),
            None => question,
        })
    }

    /// By what the app knows the caller.
    fn learn_names(&self, seen: &mut Seen, caller: Option<&Identity>) {
        let mut names = BTreeSet::new();
        for ((at, _), exchange) in &seen.answers {
            let is_me = self.known.get(*at).is_some_and(Known::is_about_the_caller);
            let Some(Value::Object(map)) = exchange.answer.json().filter(|_| is_me && exchange.is_success())
            else {
                continue;
            };
            let inner = map.values().find_map(Value::as_object).cloned().unwrap_or_default();
            for (key, value) in map.iter().chain(&inner) {
                let plain = simple(key);
                let is_name = matches!(plain.as_str(), "id" | "uuid" | "sub" | "userid" | "pk" | "key")
                    || is_email(key)
                    || is_username(key);
                names.extend(scalar(value).filter(|_| is_name));
            }
        }
        names.extend(caller.and_then(Identity::bearer).and_then(super::token::subject));
        seen.names.extend(names);
    }

    /// Values for the parameters of an operation's path, from what a caller was shown. Without parameters there is
    /// one, which is empty.
    pub(super) fn fillings(&self, seen: &Seen, known: &Known<'_>, most: usize) -> Vec<Filling> {
        let mut fillings = vec![Filling { values: Vec::new(), is_mentioned: false }];
        for parameter in &known.parameters {
            let mut longer: Vec<Filling> = Vec::new();
            for filling in &fillings {
                for (value, is_mentioned) in self.candidates(seen, known, parameter, &filling.values) {
                    let mut values = filling.values.clone();
                    values.push(value);
                    longer.push(Filling { values, is_mentioned: filling.is_mentioned || is_mentioned });
                }
            }
            // Each first value gets its share.
            longer.truncate(most * 4);
            fillings = longer;
        }
        fillings.truncate(most);
        fillings
    }

    /// Values for one parameter, the surest first; and whether they are only mentioned.
    fn candidates(
        &self,
        seen: &Seen,
        known: &Known<'_>,
        parameter: &Parameter,
        before: &[String],
    ) -> Vec<(String, bool)> {
        let below = known.filled(&parameter.below, before);
        let mut found: Vec<(u8, String)> = Vec::new();
        for item in &seen.items {
            let path = item.target.split('?').next().unwrap_or_default().trim_end_matches('/');
            let is_of_parent = before.is_empty()
                || before.iter().all(|value| item.has(value) || path.contains(encoded(value).as_str()));
            let rank = match () {
                () if item.is_listed && path == below => 0,
                () if item.may_be(parameter) && is_of_parent => 1,
                () if item.may_be(parameter) => 2,
                () => 9,
            };
            if rank < 9 {
                found.extend(item.key(parameter, &self.maker).map(|key| (rank, key)));
            }
            found.extend(item.reference(parameter, &self.maker).map(|key| (3, key)));
        }
        // The caller's own name, where a parameter means users.
        if parameter.kinds.iter().any(|kind| is_user(kind)) {
            let fits =
                |name: &&String| parameter.shape.is_none_or(|shape| self.maker.accepts_text(shape, name));
            found.extend(seen.names.iter().filter(fits).map(|name| (1, name.clone())));
        }
        found.sort_by_key(|(rank, _)| *rank);
        let mut values: Vec<(String, bool)> = Vec::new();
        for (rank, value) in found {
            if !values.iter().any(|(known, _)| *known == value) {
                values.push((value, rank == 3));
            }
        }
        values.truncate(8);
        values
    }

    /// An id that no object has, of the same form as one that an object has.
    pub(super) fn absent(&self, parameter: &Parameter, present: &str) -> Option<String> {
        let is_number = present.bytes().all(|byte| byte.is_ascii_digit());
        let is_uuid = present.len() == 36 && present.bytes().filter(|byte| *byte == b'-').count() == 4;
        let mixed: String = present
            .chars()
            .enumerate()
            .map(|(at, c)| match c {
                _ if at == 0 && c.is_ascii_alphabetic() => c,
                // Hexadecimal digits stay such.
                '9' => '0',
                'f' => 'a',
                'F' => 'A',
                'z' => 'g',
                '0'..='8' | 'a'..='y' | 'A'..='E' => char::from(c as u8 + 1),
                c => c,
            })
            .collect();
        let numbers = ["1987654321", "987654321", "98765", "9876", "987", "98"].map(str::to_owned);
        let candidates: Vec<String> = match () {
            () if is_number => numbers.to_vec(),
            () if is_uuid => vec!["6f1a7f5e-2b64-4c1d-9d5f-3a0d6c2b9e11".to_owned()],
            () => vec![mixed, format!("{present}x")],
        };
        let fits = |text: &String| {
            text != present && parameter.shape.is_none_or(|shape| self.maker.accepts_text(shape, text))
        };
        candidates.into_iter().find(fits)
    }
}

impl Known<'_> {
    /// Whether it says who the caller is.
    pub(super) fn is_about_the_caller(&self) -> bool {
        let last = self.path.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
        self.method == http::Method::GET
            && matches!(
                simple(last).as_str(),
                "me" | "whoami"
                    | "userinfo"
                    | "self"
                    | "myself"
                    | "profile"
                    | "account"
                    | "currentuser"
                    | "user"
            )
            && !matches!(self.purpose, Some(Special::Session(_)))
    }
}

impl Seen {
    /// Whether any answer shows an object by this id.
    pub(super) fn shows(&self, parameter: &Parameter, value: &str, maker: &Maker<'_>) -> bool {
        // A long one is the same wherever it stands.
        let is_telling = value.len() >= 8 && !value.bytes().all(|byte| byte.is_ascii_digit());
        self.items.iter().any(|item| {
            if is_telling {
                return item.has(value);
            }
            item.may_be(parameter) && item.key(parameter, maker).is_some_and(|key| key == value) || {
                let named = |(key, field): (&String, &Value)| {
                    simple(key) == simple(&parameter.name) && text_of(field) == value
                };
                item.object.iter().any(named)
            }
        })
    }

    /// Whether any answer shows this object, whatever it is called there: the id, and half of what its texts say.
    pub(super) fn shows_like(&self, value: &str, object: &Value) -> bool {
        let is_telling = |text: &&str| text.len() >= 4 && *text != value;
        let all = leaves(object);
        let texts: BTreeSet<&str> =
            all.values().filter_map(|leaf| leaf.as_str()).filter(is_telling).collect();
        !texts.is_empty()
            && self.items.iter().filter(|item| item.has(value)).any(|item| {
                let same = item
                    .object
                    .values()
                    .filter_map(Value::as_str)
                    .filter(|text| texts.contains(text))
                    .count();
                same > 0 && same * 2 >= texts.len()
            })
    }

    /// Whether any answer shows one of the objects in this body.
    pub(super) fn shows_any(&self, value: &str, body: &Value) -> bool {
        let lists = body.as_object().into_iter().flat_map(|map| map.values()).chain([body]);
        let inner = lists.filter_map(Value::as_array).flatten().take(50).filter(|one| one.is_object());
        self.shows_like(value, body)
            || inner.into_iter().any(|object| {
                let keys = object.as_object().into_iter().flatten();
                let keys = keys.filter(|(name, _)| rank_of_key(name).is_some());
                keys.filter_map(|(_, key)| scalar(key)).any(|key| self.shows_like(&key, object))
            })
    }

    /// Whether a list of such objects has more than was read.
    pub(super) fn may_show_more(&self, parameter: &Parameter) -> bool {
        self.items.iter().any(|item| self.cut.contains(&item.operation) && item.may_be(parameter))
    }
}
