//! The one keeper of secrets that servers have. A process has one, as it has one environment.

use std::{
    env,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use mantlet_secrets::{Event, Keeper, Known, Place, ReadHere, Settings};
use tokio::sync::mpsc::UnboundedReceiver;

/// How often servers are asked where nothing is configured.
pub(super) const REFRESH: Duration = Duration::from_mins(5);

#[derive(Default)]
struct State {
    settings: Option<Settings>,
    /// Started for the first secret that a server has.
    keeper: Option<Arc<Keeper>>,
}

static STATE: Mutex<State> = Mutex::new(State { settings: None, keeper: None });

/// What holds where nothing is configured: the environment says it all.
pub(super) fn unconfigured(read_here: ReadHere) -> Settings {
    Settings {
        vault: mantlet_secrets::Vault::default(),
        aws: mantlet_secrets::Aws::default(),
        refresh: REFRESH,
        read_here,
        variables: Arc::new(env::vars_os().filter_map(text).collect()),
    }
}

fn text((name, value): (std::ffi::OsString, std::ffi::OsString)) -> Option<(String, String)> {
    Some((name.into_string().ok()?, value.into_string().ok()?))
}

/// From now on servers are asked like this.
pub(super) fn configure(settings: Settings) {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(keeper) = &state.keeper {
        keeper.configure(settings.clone());
    }
    state.settings = Some(settings);
}

/// Reads a secret from its server, or what the server has said last.
pub(super) fn read(place: &Place, read_here: impl FnOnce() -> ReadHere) -> Result<Known, String> {
    let mut state = STATE.lock().unwrap_or_else(PoisonError::into_inner);
    let keeper = if let Some(keeper) = &state.keeper {
        Arc::clone(keeper)
    } else {
        let settings = state.settings.clone().unwrap_or_else(|| unconfigured(read_here()));
        let keeper = Keeper::start(settings).map_err(|error| format!("cannot ask a server: {error}"))?;
        Arc::clone(state.keeper.insert(Arc::new(keeper)))
    };
    drop(state);
    keeper.read(place)
}

/// What happens to secrets of servers. None: none was asked for yet, or they were taken before.
pub(crate) fn secret_events() -> Option<UnboundedReceiver<Event>> {
    STATE.lock().unwrap_or_else(PoisonError::into_inner).keeper.as_ref()?.events()
}
