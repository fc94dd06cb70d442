//! The size of the future of a request on its way through the pipeline: `cargo run -p mantlet-controls --example future`.

use std::{
    convert::Infallible,
    pin::Pin,
    task::{Context, Poll},
};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame};
use mantlet_controls::{
    App, Arrival, Call, Peer, Policy, Reason, Refusal, RequestBody, Scheme, WireVerdict, audit::Record,
    handle,
};

struct Empty;

impl Body for Empty {
    type Data = Bytes;
    type Error = Reason;

    fn poll_frame(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, Reason>>> {
        Poll::Ready(None)
    }
}

struct Nothing;

impl Body for Nothing {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(None)
    }
}

/// An app whose own future is as small as can be.
struct Answers;

impl App<Empty> for Answers {
    type Body = Nothing;

    async fn call(&mut self, _: &Call, _: Request<RequestBody<Empty>>) -> Result<Response<Nothing>, Refusal> {
        Ok(Response::new(Nothing))
    }
}

fn main() {
    let policy = Policy::default();
    let arrival =
        Arrival { peer: Peer::Unknown, scheme: Scheme::Http, wire: WireVerdict::Unread, certificate: None };
    let audit = |_: Record| {};
    let future = handle(&policy, &audit, &arrival, Request::new(Empty), Answers);
    println!("{} bytes: a request in the pipeline, the app's part aside", size_of_val(&future));
    println!("{} bytes: its call", size_of::<Call>());
}
