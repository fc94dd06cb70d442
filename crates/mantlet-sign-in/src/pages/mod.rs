//! The pages.

use http::StatusCode;
use jiff::Timestamp;

use crate::{
    SignIn,
    answers::detail,
    asked::{Answer, Asked},
};

#[expect(clippy::unused_async, reason = "the pages ask the database")]
pub(crate) async fn answer(_: &SignIn, _: Timestamp, _: Asked) -> Answer {
    detail(StatusCode::NOT_FOUND, "Not Found")
}
