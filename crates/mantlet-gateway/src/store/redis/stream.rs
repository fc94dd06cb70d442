//! How a gate follows the others: the stream of sessions that were ended, and a comparison of
//! everything where the stream may not have been enough.

use std::{
    fmt,
    str::FromStr,
    time::{Duration, Instant},
};

use futures_util::future::try_join_all;
use mantlet_controls::authentication::sessions::Event;
use redis::{RedisError, RedisResult};
use tokio::time::{sleep, timeout};

use super::{
    super::link::Link,
    CONNECT, is_of_another,
    sessions::{AGAIN, Inner, WRITE},
};

/// Milliseconds for which Redis holds back its answer while there is nothing new, and how long until
/// the connection is considered lost.
const BLOCK_MS: u64 = 1_000;
const LOST: Duration = Duration::from_secs(4);
/// The longest pause until it is tried again.
const LONGEST: Duration = Duration::from_secs(1);
/// Entries that are read at once.
const AT_ONCE: usize = 1_000;
/// Sessions that are asked about at once.
const ASKED: usize = 500;

/// An entry: its place, and its fields and values.
type Entry = (String, Vec<String>);

/// The place of an entry: a time, and a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
struct Place(u64, u64);

impl FromStr for Place {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        let (time, number) = text.split_once('-').ok_or(())?;
        Ok(Self(time.parse().map_err(drop)?, number.parse().map_err(drop)?))
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.0, self.1)
    }
}

/// Whether entries may have been missed: the stream does not reach back to where it was left, or it
/// has lost what was there.
fn is_gap(left: Option<Place>, first: Option<Place>, last: Option<Place>) -> bool {
    let Some(left) = left else { return true };
    first.is_none_or(|first| first > left) || last < Some(left)
}

impl Inner {
    /// Reads the stream, for ever. After a lost connection it goes on after the last entry that it
    /// has read.
    pub(super) async fn follow(&self) {
        let (mut place, mut pause) = (None, AGAIN);
        loop {
            let start = Instant::now();
            // A store that is away is reported by what is asked of it.
            if let Err(error) = self.follow_once(&mut place).await {
                self.refused(&error);
            }
            pause = if start.elapsed() > LONGEST { AGAIN } else { LONGEST.min(pause * 2) };
            sleep(pause).await;
        }
    }

    /// On a connection of its own, because its commands block.
    async fn follow_once(&self, place: &mut Option<Place>) -> Result<(), RedisError> {
        let lost = |_| RedisError::from((redis::ErrorKind::Io, "no answer"));
        let mut link = timeout(CONNECT, self.store.0.target.load_full().connect()).await.map_err(lost)??;
        let [first, last] = timeout(LOST, self.ends(&mut link)).await.map_err(lost)??;
        let is_gap = is_gap(*place, first, last);
        let mut at = place.filter(|_| !is_gap).or(last).unwrap_or_default();
        if last.is_none() {
            // A stream that is empty later has lost its memory.
            let mut add = redis::cmd("XADD");
            add.arg(self.name_of_stream()).arg("*").arg("gate").arg("");
            timeout(LOST, add.query_async::<()>(&mut link)).await.map_err(lost)??;
        }
        *place = Some(at);
        if is_gap {
            self.differs.notify_one();
        }
        loop {
            let mut read = redis::cmd("XREAD");
            read.arg("COUNT").arg(AT_ONCE).arg("BLOCK").arg(BLOCK_MS);
            read.arg("STREAMS").arg(self.name_of_stream()).arg(at.to_string());
            let read = read.query_async::<Option<Vec<(String, Vec<Entry>)>>>(&mut link);
            let found = timeout(LOST, read).await.map_err(lost)??;
            let entries: Vec<_> = found.into_iter().flatten().flat_map(|(_, entries)| entries).collect();
            let (before, is_behind) = (at, entries.len() >= AT_ONCE);
            for (entry, fields) in entries {
                let events =
                    fields.as_chunks::<2>().0.iter().map(|[_, value]| serde_json::from_str::<Event>(value));
                events.flatten().for_each(|event| self.learn_end(event));
                at = entry.parse().unwrap_or(at);
            }
            *place = Some(at);
            if is_behind {
                let [first, _] = timeout(LOST, self.ends(&mut link)).await.map_err(lost)??;
                if first > Some(before) {
                    self.differs.notify_one();
                }
            }
        }
    }

    /// The first and the last entry.
    async fn ends(&self, link: &mut Link) -> RedisResult<[Option<Place>; 2]> {
        let mut ends = [None; 2];
        for (end, (command, from, to)) in ends.iter_mut().zip([("XRANGE", "-", "+"), ("XREVRANGE", "+", "-")])
        {
            let mut ask = redis::cmd(command);
            ask.arg(self.name_of_stream()).arg(from).arg(to).arg("COUNT").arg(1);
            let found: Vec<Entry> = ask.query_async(link).await?;
            *end = found.first().and_then(|(place, _)| place.parse().ok());
        }
        Ok(ends)
    }

    /// Whenever this gate and Redis may know different things, asks which of its sessions were
    /// ended, and then tells everything that it knows.
    pub(super) async fn compare(&self) {
        loop {
            self.differs.notified().await;
            for sessions in self.known.list(None).chunks(ASKED) {
                let ids: Vec<_> = sessions.iter().map(|session| session.facts.id).collect();
                self.ends_of(&ids).await.into_iter().flatten().for_each(|event| self.learn_end(event));
            }
            for piece in self.known.pieces() {
                for events in piece.chunks(ASKED) {
                    self.tell(events).await;
                }
            }
        }
    }

    /// Tells Redis what it may not know. The end of a session that it knows is not told to all again.
    async fn tell(&self, events: &[Event]) {
        let (ended, mut others): (Vec<_>, Vec<_>) =
            events.iter().cloned().partition(|event| matches!(event, Event::Ended { .. }));
        let ids: Vec<_> = ended
            .iter()
            .filter_map(|event| match event {
                Event::Ended { session, .. } => Some(*session),
                _ => None,
            })
            .collect();
        let known = self.ends_of(&ids).await;
        others.extend(
            ended.into_iter().zip(known).filter(|(_, known)| known.is_none()).map(|(event, _)| event),
        );
        while self.write(&others).await.is_none() {
            sleep(AGAIN).await;
        }
    }

    /// The ends of sessions, as Redis knows them. Asked until there is an answer.
    async fn ends_of(&self, ids: &[u64]) -> Vec<Option<Event>> {
        loop {
            let one = async |id: &u64, mut link: Link| -> RedisResult<Option<String>> {
                let mut get = redis::cmd("HGET");
                get.arg(self.name_of_session(*id)).arg("ended");
                match get.query_async(&mut link).await {
                    // It would be in the way of all others.
                    Err(error) if is_of_another(&error) => Ok(None),
                    answer => answer,
                }
            };
            let asked =
                self.ask(WRITE, async |link| try_join_all(ids.iter().map(|id| one(id, link.clone()))).await);
            if let Some(texts) = asked.await {
                let event = |text: Option<String>| text.and_then(|text| serde_json::from_str(&text).ok());
                return texts.into_iter().map(event).collect();
            }
            sleep(AGAIN).await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stream_that_does_not_reach_back_is_not_enough() {
        let place = |text: &str| text.parse::<Place>().ok();
        for (left, first, last, expected) in [
            ("", "1-0", "5-0", true),
            ("5-0", "1-0", "5-0", false),
            ("5-0", "5-0", "5-0", false),
            ("5-0", "1-0", "5-1", false),
            ("5-0", "1-0", "10-0", false),
            ("5-0", "5-1", "10-0", true),
            ("5-0", "", "", true),
            ("5-0", "1-0", "4-9", true),
        ] {
            assert_eq!(is_gap(place(left), place(first), place(last)), expected, "{left} {first} {last}");
        }
        assert_eq!(place("1732-3").map(|place| place.to_string()), Some("1732-3".to_owned()));
    }
}
