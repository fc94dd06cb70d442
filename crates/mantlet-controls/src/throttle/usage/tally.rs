//! The usage of one key in one window, in the 64 bits that a table keeps for it.

/// Parts of a window, of which the busiest is remembered: seconds of a minute.
pub(super) const PARTS: u64 = 60;

const ASKED: Field = Field { shift: 44, most: (1 << 20) - 1 };
const TURNED_AWAY: Field = Field { shift: 31, most: (1 << 13) - 1 };
const PEAK: Field = Field { shift: 19, most: (1 << 12) - 1 };
const IN_PART: Field = Field { shift: 7, most: (1 << 12) - 1 };
const PART: Field = Field { shift: 1, most: (1 << 6) - 1 };
const OVER: Field = Field { shift: 0, most: 1 };

/// Its requests, and their success. Numbers that are too large are capped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Tally(pub(super) u64);

/// Some bits of it. Requests are at the top: the key with the most requests is remembered longest.
struct Field {
    shift: u32,
    most: u64,
}

impl Tally {
    const fn get(self, field: &Field) -> u64 {
        (self.0 >> field.shift) & field.most
    }

    fn set(&mut self, field: &Field, value: u64) {
        self.0 = self.0 & !(field.most << field.shift) | value.min(field.most) << field.shift;
    }

    /// With another request in this part of the window, which is over the rule's limit or not.
    pub(super) fn ask(mut self, part: u64, is_over: bool) -> Self {
        let part = part % PARTS;
        let in_part = if self.get(&PART) == part { self.get(&IN_PART) + 1 } else { 1 };
        self.set(&ASKED, self.asked() + 1);
        self.set(&PART, part);
        self.set(&IN_PART, in_part);
        self.set(&PEAK, self.peak().max(in_part));
        self.set(&OVER, self.get(&OVER) | u64::from(is_over));
        self
    }

    /// With another one that was refused.
    pub(super) fn turn_away(mut self) -> Self {
        self.set(&TURNED_AWAY, self.turned_away() + 1);
        self
    }

    /// Requests.
    pub(super) const fn asked(self) -> u64 {
        self.get(&ASKED)
    }

    /// Refused requests, by the app or by the gate.
    pub(super) const fn turned_away(self) -> u64 {
        self.get(&TURNED_AWAY)
    }

    /// Requests in the busiest part of the window.
    pub(super) const fn peak(self) -> u64 {
        self.get(&PEAK)
    }

    /// Whether one of them was over the rule's limit.
    pub(super) const fn is_over(self) -> bool {
        self.get(&OVER) > 0
    }

    /// Whether more than so many per cent were refused, or more than can be counted.
    pub(super) const fn is_mostly_turned_away(self, percent: u64) -> bool {
        let turned_away = self.turned_away();
        turned_away == TURNED_AWAY.most || turned_away * 100 > self.asked() * percent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_counts_and_keeps_the_busiest_part() {
        let mut tally = Tally(0);
        for part in [0, 0, 1, 1, 1, 7, 59, 60] {
            tally = tally.ask(part, part == 7);
        }
        assert_eq!((tally.asked(), tally.peak(), tally.turned_away(), tally.is_over()), (8, 3, 0, true));
        for _ in 0..4 {
            tally = tally.turn_away();
        }
        assert_eq!((tally.asked(), tally.peak(), tally.turned_away(), tally.is_over()), (8, 3, 4, true));
        assert!(!tally.is_mostly_turned_away(50));
        assert!(tally.turn_away().is_mostly_turned_away(50));
        assert!(!tally.turn_away().is_mostly_turned_away(80));
    }

    #[test]
    fn what_does_not_fit_spoils_nothing_else() {
        let mut tally = Tally(0);
        for _ in 0..(1 << 20) + 5 {
            tally = tally.ask(3, false);
        }
        assert_eq!((tally.asked(), tally.peak(), tally.turned_away()), (ASKED.most, PEAK.most, 0));
        for _ in 0..1 << 13 {
            tally = tally.turn_away();
        }
        assert_eq!((tally.asked(), tally.peak(), tally.is_over()), (ASKED.most, PEAK.most, false));
        assert!(tally.is_mostly_turned_away(80));
    }
}
