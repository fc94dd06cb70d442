//! What flows for long: events, WebSockets, large bodies, and answers that end unusually.

mod answers;
mod bulk;
mod events;
mod slow;
mod websocket;
