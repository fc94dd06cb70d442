//! The app behind the pipeline.

use std::{future::Future, sync::Arc, time::Duration};

use bytes::Bytes;
use http::{HeaderMap, Request, Response, StatusCode};
use http_body::Body;

use crate::{
    Call, Reason, Refusal, RequestBody, accounts::Callers, authentication::sessions::Keeper,
    call::trace::Trace, cors, dpop::SeenByAll, issuer::Client, proof_of_work::SpentByAll, refresh_tokens,
    throttle,
};

/// The app behind the pipeline.
pub trait App<B> {
    /// The body of its responses.
    type Body: Body<Data = Bytes>;

    /// Handles a request that every stop has let through, ready to be sent.
    fn call(
        &mut self,
        call: &Call,
        request: Request<RequestBody<B>>,
    ) -> impl Future<Output = Result<Response<Self::Body>, Refusal>> + Send;

    /// The store in which several gates count together, if there is one.
    fn store(&self) -> Option<&Arc<dyn throttle::Store>> {
        None
    }

    /// Keeps the sessions of the app beyond this process, if anything does.
    fn sessions(&self) -> Option<&Arc<dyn Keeper>> {
        None
    }

    /// Remembers proofs (DPoP) for several gates, if anything does.
    fn proofs(&self) -> Option<&Arc<dyn SeenByAll>> {
        None
    }

    /// Remembers answers to puzzles for several gates, if anything does.
    fn answers(&self) -> Option<&Arc<dyn SpentByAll>> {
        None
    }

    /// Keeps the handles of refresh tokens beyond this process. Without it none are made.
    fn refresh_tokens(&self) -> Option<&Arc<dyn refresh_tokens::Keeper>> {
        None
    }

    /// From now on the request is to be finished although its client may leave: an answer of the app
    /// would be lost that it does not give again.
    fn finish_in_any_case(&mut self) {}

    /// The trace that a request of a trusted peer, or of another client, is part of; none if there are no
    /// traces. Called once for each request.
    fn trace(&self, headers: &HeaderMap, is_trusted: bool) -> Option<Trace> {
        let _ = (headers, is_trusted);
        None
    }

    /// The request has its response, of the app or of the gate, which may have refused it: its head goes to the
    /// client next. Called once for each request, to measure.
    fn responded(&self, call: &Call, status: StatusCode, refused: Option<Reason>) {
        let _ = (call, status, refused);
    }

    /// What keeps accounts for an app that has none, if anything does.
    fn callers(&self) -> Option<&Arc<dyn Callers>> {
        None
    }

    /// Asks the issuers of tokens, if it can.
    fn issuers(&self) -> Option<&Arc<dyn Client>> {
        None
    }

    /// The answer of the app to a question of our own, in a request without a body. Called to see
    /// what the app itself does with a token that is not good; none if it cannot be asked soon.
    fn ask(
        &mut self,
        call: &Call,
        question: Request<()>,
    ) -> impl Future<Output = Option<Response<Bytes>>> + Send {
        let _ = (call, question);
        std::future::ready(None)
    }

    /// The answer of the app to another request of the same client, of at most so many bytes: for an
    /// object, or for what it says of the caller. None if it does not answer in time: as long as usual,
    /// unless another time is named.
    fn read(
        &mut self,
        call: &Call,
        question: Request<()>,
        most: usize,
        patience: Option<Duration>,
    ) -> impl Future<Output = Option<Response<Bytes>>> + Send {
        let _ = (call, question, most, patience);
        std::future::ready(None)
    }

    /// The recent answer of the app's own CORS to this page and operation, from memory only.
    fn known_cors(&self, call: &Call) -> Option<cors::Own> {
        let _ = call;
        None
    }

    /// The answer of the app's own CORS to a preflight like the one that the page's browser would
    /// send. Called before a page's request is refused as forged, and before a refusal that the
    /// page must be able to read.
    fn own_cors(
        &mut self,
        call: &Call,
        preflight: Request<()>,
    ) -> impl Future<Output = Result<cors::Own, cors::Silence>> + Send {
        let _ = (call, preflight);
        std::future::ready(Ok(cors::Own::default()))
    }
}
