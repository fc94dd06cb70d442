//! Countries of addresses, by a local database (`.mmdb`) with `country.iso_code` in its records, as those of
//! `MaxMind` and `DB-IP` have it.

use std::{fmt, net::IpAddr, sync::Arc};

use arc_swap::ArcSwapOption;
use maxminddb::{Reader, WithinOptions, path};

use super::ranges::Fault;
use crate::config::Content;

/// ISO 3166-1 alpha-2, and `XK`, which databases have for Kosovo.
const CODES: &str = "\
    AD AE AF AG AI AL AM AO AQ AR AS AT AU AW AX AZ BA BB BD BE BF BG BH BI BJ BL BM BN BO BQ BR BS BT BV BW BY BZ \
    CA CC CD CF CG CH CI CK CL CM CN CO CR CU CV CW CX CY CZ DE DJ DK DM DO DZ EC EE EG EH ER ES ET FI FJ FK FM FO \
    FR GA GB GD GE GF GG GH GI GL GM GN GP GQ GR GS GT GU GW GY HK HM HN HR HT HU ID IE IL IM IN IO IQ IR IS IT JE \
    JM JO JP KE KG KH KI KM KN KP KR KW KY KZ LA LB LC LI LK LR LS LT LU LV LY MA MC MD ME MF MG MH MK ML MM MN MO \
    MP MQ MR MS MT MU MV MW MX MY MZ NA NC NE NF NG NI NL NO NP NR NU NZ OM PA PE PF PG PH PK PL PM PN PR PS PT PW \
    PY QA RE RO RS RU RW SA SB SC SD SE SG SH SI SJ SK SL SM SN SO SR SS ST SV SX SY SZ TC TD TF TG TH TJ TK TL TM \
    TN TO TR TT TV TW TZ UA UG UM US UY UZ VA VC VE VG VI VN VU WF WS XK YE YT ZA ZM ZW";

/// The database in force; none if what the configuration names is wrong. A clone is the same one.
pub(super) type Slot = Arc<ArcSwapOption<Countries>>;

/// A code of two letters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Country([u8; 2]);

/// A database.
pub(super) struct Countries(Reader<Content>);

impl Country {
    /// Reads a code, as ISO 3166-1 has it.
    pub(super) fn read(text: &str) -> Option<Self> {
        let is_one = CODES.split(' ').any(|code| code == text);
        is_one.then(|| text.as_bytes().try_into().ok().map(Self)).flatten()
    }
}

impl Countries {
    /// Reads a database. It is examined as a whole, because a lookup in a damaged one would only find nothing.
    pub(super) fn read(content: &Content) -> Result<Self, Fault> {
        let broken = |error: &dyn fmt::Display| {
            Fault::File(format!("is not a database of countries (`.mmdb`) that can be read: {error}"))
        };
        let reader = Reader::from_source(content.clone()).map_err(|error| broken(&error))?;
        reader.verify().map_err(|error| broken(&error))?;
        let found = Self(reader);
        let networks = found.0.networks(WithinOptions::default()).map_err(|error| broken(&error))?;
        let mut codes = networks.filter_map(|network| code_of(&network.ok()?));
        if codes.next().is_none() {
            let kind = &found.0.metadata().database_type;
            return Err(Fault::File(format!("has no `country.iso_code` in its records: it is a `{kind}`")));
        }
        drop(codes);
        Ok(found)
    }

    /// When it was made, for people.
    pub(super) fn made(&self) -> String {
        let seconds = i64::try_from(self.0.metadata().build_epoch).unwrap_or_default();
        let time = jiff::Timestamp::from_second(seconds).unwrap_or_default();
        format!("{} of {}", self.0.metadata().database_type, time.strftime("%Y-%m-%d"))
    }

    /// The country of an address; none if the database does not say.
    pub(super) fn of(&self, address: IpAddr) -> Option<Country> {
        let found = self.0.lookup(address.to_canonical()).ok()?;
        code_of(&found)?.as_bytes().try_into().ok().map(Country)
    }
}

fn code_of<'d>(found: &maxminddb::LookupResult<'d, Content>) -> Option<&'d str> {
    found.decode_path(&path!["country", "iso_code"]).ok()?
}

impl fmt::Debug for Countries {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Countries({})", self.made())
    }
}
