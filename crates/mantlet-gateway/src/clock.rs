//! The time by which the gate dates its records and counts what is left of quotas: that of the
//! controls, which policies have unless another clock is handed to them.

use jiff::Timestamp;
use mantlet_controls::Clock;

pub(crate) fn now() -> Timestamp {
    Clock::system().time()
}
