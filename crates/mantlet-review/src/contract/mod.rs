//! What operations accept and promise, and what their code does.

mod access;
mod code;
mod inputs;
mod inventory;
mod objects;
mod properties;

use crate::{facts::App, review::Review};

pub(crate) fn review(app: &App<'_>, review: &mut Review) {
    objects::review(app, review);
    access::review(app, review);
    properties::review(app, review);
    inputs::review(app, review);
    code::review(app, review);
    inventory::review(app, review);
}
