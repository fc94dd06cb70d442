//! The effect of a request on the state of its connection.

use std::sync::{Arc, atomic::Ordering::Relaxed};

use super::{ConnectionState, Phase, Stream, now};

/// A request under way on a connection, from its arrival to the last byte of its response.
#[derive(Debug)]
pub(crate) struct Exchange {
    connection: Arc<ConnectionState>,
    stream: Option<Arc<Stream>>,
    /// Its response continues for as long as the client wants.
    is_endless: bool,
}

impl Exchange {
    pub(crate) fn begin(connection: &Arc<ConnectionState>, multiplexed: bool) -> Self {
        connection.in_flight.fetch_add(1, Relaxed);
        connection.busy.fetch_add(1, Relaxed);
        connection.sent_at.store(0, Relaxed);
        let stream = multiplexed.then(|| {
            connection.phase.store(Phase::Busy as u8, Relaxed);
            let stream = Arc::<Stream>::default();
            let mut rare = connection.rare();
            rare.streams.push(Arc::clone(&stream));
            rare.begun = Some(Arc::clone(&stream));
            stream
        });
        Self { connection: Arc::clone(connection), stream, is_endless: false }
    }

    /// Its response is endless, so the end of the gate does not wait for it.
    pub(crate) fn note_endless(&mut self) {
        if !self.is_endless {
            self.is_endless = true;
            self.connection.busy.fetch_sub(1, Relaxed);
        }
    }

    /// Whether an endless response must end now.
    pub(crate) fn is_over(&self) -> bool {
        self.is_endless && self.connection.should_close()
    }

    /// Whether its response continues for as long as the client wants.
    pub(crate) const fn is_endless(&self) -> bool {
        self.is_endless
    }

    /// Its response is polled at each tick of its connection. One that is not multiplexed is polled with
    /// its connection.
    pub(crate) fn watch(&self) {
        if let Some(stream) = &self.stream {
            stream.is_watched.store(true, Relaxed);
        }
    }

    /// Whether other exchanges share the connection.
    pub(crate) const fn is_multiplexed(&self) -> bool {
        self.stream.is_some()
    }

    /// A piece of the response has been passed on, or (`false`) the next one is wanted.
    pub(crate) fn note_handed_on(&self, handed_on: bool) {
        if let Some(stream) = &self.stream {
            stream.waits_since.store(if handed_on { now() } else { 0 }, Relaxed);
        }
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.is_endless {
            self.connection.busy.fetch_sub(1, Relaxed);
        }
        let others = self.connection.in_flight.fetch_sub(1, Relaxed) - 1;
        if let Some(stream) = &self.stream {
            self.connection.rare().streams.retain(|other| !Arc::ptr_eq(other, stream));
            if others == 0 {
                self.connection.phase.store(Phase::Waiting as u8, Relaxed);
            }
        }
        if others == 0 {
            self.connection.since.store(now(), Relaxed);
        }
    }
}
