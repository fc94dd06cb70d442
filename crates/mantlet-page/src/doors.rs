//! One-time addresses, and the sessions that they are exchanged for.

use std::{
    collections::VecDeque,
    fmt::Write as _,
    time::{Duration, Instant},
};

use subtle::ConstantTimeEq as _;

/// How long a one-time address is good for.
pub(crate) const TICKET_LIFE: Duration = Duration::from_mins(1);
/// How long a session lasts at most.
const SESSION_LIFE: Duration = Duration::from_hours(12);
/// Sessions at once, and outcomes that a session keeps; the oldest one ends for a new one.
const MOST: usize = 8;

/// 128 random bits, as 32 hexadecimal digits.
#[derive(Clone)]
pub(crate) struct Token(String);

impl Token {
    pub(crate) fn new() -> Result<Self, getrandom::Error> {
        let mut bytes = [0_u8; 16];
        getrandom::fill(&mut bytes)?;
        let mut text = String::with_capacity(32);
        for byte in bytes {
            // Writing to a text cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        Ok(Self(text))
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// In a time that says nothing about where they differ.
    pub(crate) fn is(&self, text: &str) -> bool {
        self.0.as_bytes().ct_eq(text.as_bytes()).into()
    }
}

/// Who is in.
pub(crate) struct Session {
    pub(crate) cookie: Token,
    /// What a form must have.
    pub(crate) form: Token,
    until: Instant,
    /// Outcomes of acts with their numbers, for the views that they lead to.
    said: VecDeque<(u64, Said)>,
}

/// The outcome of an act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) is_done: bool,
    pub(crate) text: String,
}

/// The ways in.
#[derive(Default)]
pub(crate) struct Doors {
    /// The newest alone is good.
    ticket: Option<(Token, Instant)>,
    sessions: VecDeque<Session>,
    /// Acts so far.
    acts: u64,
}

impl Doors {
    /// Makes a one-time address; the former one is good no more.
    pub(crate) fn ticket(&mut self, now: Instant) -> Result<Token, getrandom::Error> {
        let token = Token::new()?;
        self.ticket = Some((token.clone(), now + TICKET_LIFE));
        Ok(token)
    }

    /// Begins a session, if the ticket is the one that is good now. It is good for nothing after that.
    pub(crate) fn enter(&mut self, ticket: &str, now: Instant) -> Result<Option<Token>, getrandom::Error> {
        let is_good = self.ticket.as_ref().is_some_and(|(token, until)| token.is(ticket) && now < *until);
        if !is_good {
            return Ok(None);
        }
        self.ticket = None;
        let (cookie, form) = (Token::new()?, Token::new()?);
        if self.sessions.len() >= MOST {
            self.sessions.pop_front();
        }
        self.sessions.push_back(Session {
            cookie: cookie.clone(),
            form,
            until: now + SESSION_LIFE,
            said: VecDeque::new(),
        });
        Ok(Some(cookie))
    }

    /// The session that one of these cookies belongs to.
    pub(crate) fn session<'c>(
        &self,
        mut cookies: impl Iterator<Item = &'c str>,
        now: Instant,
    ) -> Option<&Session> {
        cookies.find_map(|cookie| {
            self.sessions.iter().find(|session| session.cookie.is(cookie) && now < session.until)
        })
    }

    /// Keeps the outcome of an act, and gives it a number.
    pub(crate) fn say(&mut self, cookie: &Token, said: Said) -> u64 {
        self.acts += 1;
        let number = self.acts;
        if let Some(session) = self.of(cookie) {
            if session.said.len() >= MOST {
                session.said.pop_front();
            }
            session.said.push_back((number, said));
        }
        number
    }

    /// What is to be said of the act with this number, once.
    pub(crate) fn take_said(&mut self, cookie: &Token, number: u64) -> Option<Said> {
        let said = &mut self.of(cookie)?.said;
        let at = said.iter().position(|(own, _)| *own == number)?;
        said.remove(at).map(|(_, said)| said)
    }

    fn of(&mut self, cookie: &Token) -> Option<&mut Session> {
        self.sessions.iter_mut().find(|session| session.cookie.is(cookie.as_str()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_lets_in_once_in_its_minute() {
        let (mut doors, now) = (Doors::default(), Instant::now());
        let first = doors.ticket(now).unwrap();
        let second = doors.ticket(now).unwrap();
        assert!(doors.enter(first.as_str(), now).unwrap().is_none(), "a newer one was made");
        assert!(doors.enter("", now).unwrap().is_none());
        let cookie = doors.enter(second.as_str(), now + Duration::from_secs(59)).unwrap().unwrap();
        assert!(doors.enter(second.as_str(), now).unwrap().is_none(), "it was used");
        let late = doors.ticket(now).unwrap();
        assert!(doors.enter(late.as_str(), now + TICKET_LIFE).unwrap().is_none(), "its time is over");
        let session = |at| doors.session(["other", cookie.as_str()].into_iter(), at).is_some();
        assert!(session(now) && !session(now + SESSION_LIFE + TICKET_LIFE));
        assert!(doors.session(["", "other"].into_iter(), now).is_none());
    }

    #[test]
    fn sessions_are_few_and_what_is_said_is_said_once() {
        let (mut doors, now) = (Doors::default(), Instant::now());
        let enter = |doors: &mut Doors| {
            let ticket = doors.ticket(now).unwrap();
            doors.enter(ticket.as_str(), now).unwrap().unwrap()
        };
        let all: Vec<_> = (0..=MOST).map(|_| enter(&mut doors)).collect();
        let is_in =
            |doors: &Doors, cookie: &Token| doors.session([cookie.as_str()].into_iter(), now).is_some();
        assert!(!is_in(&doors, &all[0]) && is_in(&doors, &all[1]));
        let said = Said { is_done: true, text: "done".to_owned() };
        let number = doors.say(&all[1], said.clone());
        let other = doors.say(&all[1], said.clone());
        assert_eq!(doors.take_said(&all[2], number), None);
        assert_eq!(doors.take_said(&all[1], 0), None, "another tab asks for nothing");
        let twice = [number, number].map(|number| doors.take_said(&all[1], number));
        assert_eq!(twice, [Some(said.clone()), None]);
        assert_eq!(doors.take_said(&all[1], other), Some(said));
    }
}
