//! *Contract*: the operations of the app, and what becomes of their invalid input.

use maud::{Markup, html};
use serde::Deserialize;

use crate::{
    chart,
    frame::prose,
    text::{amount, number, percent, shown},
};

#[derive(Deserialize)]
pub(crate) struct Contract {
    contract: bool,
    operations: Vec<Operation>,
}

#[derive(Deserialize)]
struct Operation {
    methods: Vec<String>,
    path: String,
    hidden: bool,
    input: String,
    why: Option<String>,
}

/// What becomes of invalid input, in words.
const STANDINGS: [(&str, &str, &str, &str); 5] = [
    ("enforced", "passed", "Enforced", "the gate refuses invalid input"),
    (
        "waits",
        "changed",
        "App first",
        "something in the app may refuse first, so the app is asked, and then the gate's verdict counts",
    ),
    ("reported", "reported", "Reported", "invalid input is only recorded"),
    ("opaque", "opaque", "Opaque", "only the app knows what it accepts"),
    ("off", "opaque", "Off", "not judged"),
];

pub(crate) fn view(contract: &Contract) -> Markup {
    let of = |input: &str| contract.operations.iter().filter(|operation| operation.input == input).count();
    let counts = STANDINGS.map(|(input, class, ..)| (class, u64::try_from(of(input)).unwrap_or_default()));
    let all = u64::try_from(contract.operations.len()).unwrap_or_default();
    html! {
        @if !contract.contract { p .empty { "No contract is in force. " code { "mantlet contract" } " says why." } } @else {
            p .lead { "What the app accepts, and what becomes of input that it does not. " (amount(all, "operation")) "." }
            div #counts data-part .stack {
                (chart::bar(&counts, all))
                ul .legend { @for ((_, class, name, meaning), (_, count)) in STANDINGS.iter().zip(counts) { @if count > 0 {
                    li { span .swatch .{ (class) } {} b { (number(count)) " " (name) } " (" (percent(count, all)) "): " (meaning) }
                } } }
            }
            div #routes data-part { div .scroll tabindex="0" role="region" aria-label="Operations" { table {
                caption .visually-hidden { "The operations of the app" }
                thead { tr { th scope="col" { "Operation" } th scope="col" { "Invalid input" } th scope="col" { "Why" } } }
                tbody { @for operation in &contract.operations { tr {
                    th scope="row" { code { (if operation.methods.is_empty() { "*".to_owned() } else { operation.methods.join(",") }) " " (shown(&operation.path)) }
                        @if operation.hidden { " " span .tag { "not in its document" } } }
                    td { (standing(&operation.input)) }
                    td .faint { @if let Some(why) = &operation.why { (prose(why)) } }
                } } }
            } } }
        }
    }
}

fn standing(input: &str) -> Markup {
    let known = STANDINGS.iter().find(|(own, ..)| *own == input);
    html! { @match known {
        Some((_, class, name, _)) => { span .swatch .{ (class) } {} (name) },
        None => (shown(input)),
    } }
}
