//! An issuer says that a session has ended (OIDC Back-Channel Logout 1.0).

use bytes::Bytes;
use http::{Method, Request};
use http_body::Body;
use mantlet_contract::inputs::in_query;

use super::{App, Ending, Road};
use crate::{
    Reason, Refusal, RequestBody, account,
    audit::Sink,
    authentication::sessions::{Cause, Event, name_at_issuer, session_at_issuer},
};

/// Where an issuer says so.
const PATH: &str = "/.well-known/mantlet/backchannel-logout";

/// Takes what an issuer says, if this is it.
pub(super) async fn of_issuer<B, A, S>(
    road: &Road<'_, S>,
    request: &mut Request<RequestBody<B>>,
    app: &mut A,
) -> Result<(), Ending>
where
    B: Body<Data = Bytes, Error = Reason> + Unpin,
    A: App<B>,
    S: Sink,
{
    account::read_ahead(request).await?;
    // A form of one field has the form of a query.
    let token = in_query(request.body().ahead(), "logout_token").unwrap_or_default();
    let read = road.policy.issuer.read_logout(&road.call, &token, app.issuers().cloned()).await;
    let logout = read.map_err(|fault| Refusal::about(Reason::LogoutInvalid, fault.text()))?;
    let issuer = &logout.issuer;
    let name = match (&logout.session, &logout.subject) {
        (Some(session), _) => session_at_issuer(issuer, session),
        (None, Some(subject)) => name_at_issuer(issuer, subject),
        (None, None) => return Err(Reason::LogoutInvalid.into()),
    };
    let event = Event::EndedBefore { name, at: logout.at, cause: Cause::Issuer };
    if road.keep(app.sessions().cloned(), vec![event]).await {
        Err(Ending::LoggedOut)
    } else {
        // The issuer tells it again.
        Err(Reason::StoreUnavailable.into())
    }
}

/// Whether a request may be one.
pub(super) fn is_one<B, S>(road: &Road<'_, S>, request: &Request<B>) -> bool {
    *request.method() == Method::POST && road.call.path.as_str() == PATH && road.policy.issuer.takes_logouts()
}
