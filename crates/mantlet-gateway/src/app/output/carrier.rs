//! The thread of an outlet: reads what the app prints, has secrets taken out, and writes the rest.

use std::{
    io,
    os::fd::OwnedFd,
    sync::{Arc, mpsc},
    time::Duration,
};

use arc_swap::ArcSwap;
use mantlet_scrub::{Rules, Scrubber};
use memchr::memmem;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, read, write},
};

use super::{Answer, PATIENCE};

/// Bytes that are carried at once.
pub(super) const CHUNK: usize = 64 << 10;
/// What a pipe may hold. When the app has ended, this much is still carried, even if its children go on printing.
const LAST: usize = 1 << 20;
/// What is written to a terminal behind the last words of the app. The system carries them there in its own time, but
/// in order.
const MARK: &[u8] = b"\0\x1emantlet: end of output\x1e\0";

/// The thread that carries what is printed.
pub(super) struct Carrier {
    pub(super) from: OwnedFd,
    pub(super) to: OwnedFd,
    /// Where a mark is written that comes out at `from`. A pipe needs none: what was written can be read.
    pub(super) mark: Option<OwnedFd>,
    pub(super) woken: OwnedFd,
    pub(super) requests: mpsc::Receiver<Answer>,
    pub(super) scrubber: Scrubber,
    pub(super) rules: Arc<ArcSwap<Rules>>,
    pub(super) quiet: Duration,
    pub(super) read: Vec<u8>,
    pub(super) out: Vec<u8>,
}

impl Carrier {
    pub(super) fn run(mut self) {
        loop {
            match self.wait() {
                Ok(Wait { is_woken: false, has_more: true }) => {
                    self.carry();
                }
                Ok(Wait { is_woken: false, has_more: false }) => {
                    self.scrubber.rest(&mut self.out);
                    self.write();
                }
                Ok(Wait { is_woken: true, .. }) => {
                    self.carry_last();
                    if !matches!(read(&self.woken, &mut [0; 1]), Ok(1)) {
                        return;
                    }
                    // The bell is rung after the request.
                    if let Ok(answer) = self.requests.try_recv() {
                        answer();
                    }
                }
                Err(_) => return,
            }
        }
    }

    /// Waits for bytes, or for us; and if some are held back, no longer than it is quiet.
    fn wait(&self) -> io::Result<Wait> {
        let quiet = Timespec::try_from(self.quiet).ok().filter(|_| self.scrubber.holds());
        let mut ends = [PollFd::new(&self.woken, PollFlags::IN), PollFd::new(&self.from, PollFlags::IN)];
        loop {
            match poll(&mut ends, quiet.as_ref()) {
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
                Ok(_) => {
                    let [is_woken, has_more] = ends.map(|end| !end.revents().is_empty());
                    return Ok(Wait { is_woken, has_more });
                }
            }
        }
    }

    /// Carries what is there, up to a chunk. Returns how much that was.
    fn carry(&mut self) -> usize {
        let Ok(length @ 1..) = read(&self.from, &mut *self.read) else { return 0 };
        self.pass(length);
        length
    }

    /// Passes on what was read.
    fn pass(&mut self, length: usize) {
        self.scrubber.renew(&self.rules.load_full(), &mut self.out);
        self.scrubber.push(self.read.get(..length).unwrap_or_default(), &mut self.out);
        self.write();
    }

    /// Carries all that is there, and what is held back.
    fn carry_last(&mut self) {
        if let Some(mark) = self.mark.take() {
            self.carry_to_mark(&mark);
            self.mark = Some(mark);
        } else {
            let mut carried = 0;
            while carried < LAST {
                match self.carry() {
                    0 => break,
                    more => carried += more,
                }
            }
        }
        self.scrubber.finish(&mut self.out);
        self.write();
    }

    /// Writes the mark, and carries what comes out before it.
    fn carry_to_mark(&mut self, mark: &OwnedFd) {
        let (mut unwritten, mut kept, mut carried) = (MARK, 0, 0);
        while carried < LAST {
            if !unwritten.is_empty()
                && let Ok(written) = write(mark, unwritten)
            {
                unwritten = unwritten.get(written..).unwrap_or_default();
            }
            // What may be the beginning of the mark is kept until the rest of it comes.
            let length = match read(&self.from, self.read.get_mut(kept..).unwrap_or_default()) {
                Ok(length @ 1..) => length,
                Err(Errno::AGAIN) => {
                    let patience = Timespec::try_from(PATIENCE).ok();
                    match poll(&mut [PollFd::new(&self.from, PollFlags::IN)], patience.as_ref()) {
                        Ok(0) => break,
                        _ => continue,
                    }
                }
                Err(Errno::INTR) => continue,
                Ok(_) | Err(_) => break,
            };
            let length = kept + length;
            carried += length;
            let there = self.read.get(..length).unwrap_or_default();
            let found = memmem::find(there, MARK);
            let end = found.unwrap_or_else(|| length - beginning_of_mark(there));
            self.pass(end);
            if found.is_some() {
                return;
            }
            self.read.copy_within(end..length, 0);
            kept = length - end;
        }
        self.pass(kept);
    }

    /// Writes all, however long that takes. What cannot be written is lost.
    fn write(&mut self) {
        let mut rest = self.out.as_slice();
        while !rest.is_empty() {
            match write(&self.to, rest) {
                Ok(written) => rest = rest.get(written..).unwrap_or_default(),
                Err(Errno::INTR) => {}
                // Another program that shares our output may have asked for that.
                Err(Errno::AGAIN) => {
                    let _ = poll(&mut [PollFd::new(&self.to, PollFlags::OUT)], None);
                }
                Err(_) => break,
            }
        }
        self.out.clear();
        // One long burst is not kept in memory for ever.
        self.out.shrink_to(2 * CHUNK);
    }
}

/// How many of the last bytes may be the beginning of the mark.
fn beginning_of_mark(text: &[u8]) -> usize {
    let longest = text.len().min(MARK.len() - 1);
    (1..=longest)
        .rev()
        .find(|length| MARK.get(..*length).is_some_and(|head| text.ends_with(head)))
        .unwrap_or(0)
}

struct Wait {
    is_woken: bool,
    has_more: bool,
}
