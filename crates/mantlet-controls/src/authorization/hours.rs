//! Hours of the week, by the clocks of a place: `Mon-Fri 08:00-18:00 Europe/Berlin`.

use jiff::{Timestamp, tz::TimeZone};

use super::circumstance::Misread;

const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
const FORM: &str = "write `time:Mon-Fri 08:00-18:00 Europe/Berlin`, `time:Sat,Sun 22:00-06:00 UTC` or `time:00:00-06:00 UTC`";
const MIDNIGHT: u16 = 24 * 60;

/// Hours of some days of the week. What begins on a day and ends in the next belongs to the day on which it
/// begins.
#[derive(Debug)]
pub(super) struct Hours {
    /// From Monday on.
    days: [bool; 7],
    /// Minutes of the day, by the wall clock.
    from: u16,
    /// The first that is not in it. Less than `from`: of the next day.
    until: u16,
    zone: TimeZone,
}

impl Hours {
    pub(super) fn read(text: &str) -> Result<Self, Misread> {
        let wrong =
            |what: String| Misread { message: format!("`time:{text}`: {what}"), help: FORM.to_owned() };
        let parts: Vec<_> = text.split_whitespace().collect();
        let (days, hours, zone) = match *parts {
            [hours, zone] => (None, hours, zone),
            [days, hours, zone] => (Some(days), hours, zone),
            _ => return Err(wrong("it does not have hours and a time zone".to_owned())),
        };
        let days = match days {
            None => [true; 7],
            Some(days) => days_of(days).ok_or_else(|| wrong(format!("`{days}` are not days of the week")))?,
        };
        let read = hours.split_once('-').and_then(|(from, until)| Some((minute(from)?, minute(until)?)));
        let (from, until) = read
            .filter(|(from, until)| from != until && *from < MIDNIGHT)
            .ok_or_else(|| wrong(format!("`{hours}` are not hours")))?;
        let zone = TimeZone::get(zone)
            .map_err(|_| wrong(format!("`{zone}` is not a time zone, as the IANA database has them")))?;
        Ok(Self { days, from, until, zone })
    }

    pub(super) fn has(&self, time: Timestamp) -> bool {
        let local = self.zone.to_datetime(time);
        let number = |value: i8| u16::try_from(value).unwrap_or_default();
        let minute = number(local.hour()) * 60 + number(local.minute());
        let today = usize::from(number(local.weekday().to_monday_zero_offset()));
        let is_one = |day: usize| self.days.get(day % 7).copied().unwrap_or_default();
        if self.from < self.until {
            is_one(today) && (self.from..self.until).contains(&minute)
        } else {
            (is_one(today) && minute >= self.from) || (is_one(today + 6) && minute < self.until)
        }
    }
}

/// `Mon-Fri`, `Sat,Sun`, `Fri-Mon`.
fn days_of(text: &str) -> Option<[bool; 7]> {
    let day = |name: &str| DAYS.iter().position(|day| *day == name);
    let mut days = [false; 7];
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (day(first)?, day(last)?);
        let last = if last < first { last + 7 } else { last };
        for number in first..=last {
            *days.get_mut(number % 7)? = true;
        }
    }
    Some(days)
}

/// `08:00`, up to `24:00`.
fn minute(text: &str) -> Option<u16> {
    let (hour, minute) = text.split_once(':')?;
    let number = |digits: &str| {
        let is_one = digits.len() == 2 && digits.bytes().all(|byte| byte.is_ascii_digit());
        is_one.then(|| digits.parse::<u16>().ok()).flatten()
    };
    let (hour, minute) = (number(hour)?, number(minute)?);
    (minute < 60 && hour * 60 + minute <= MIDNIGHT).then_some(hour * 60 + minute)
}
