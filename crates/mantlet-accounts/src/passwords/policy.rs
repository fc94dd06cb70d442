//! Which passwords may be chosen, as SP 800-63B-4 (section 3.1.1) has it: long ones, none that attackers try first, and
//! no rules about their characters.

use super::{blocklist::Blocklist, hashes::prepare};
use crate::Address;

/// Characters that have to remain when what belongs to the account and the app is taken away.
const REST: usize = 8;
/// Shorter words are parts of too many others.
const SHORTEST_WORD: usize = 4;

/// Which passwords may be chosen.
#[derive(Debug, Clone)]
pub struct Policy {
    /// The fewest characters where the password is all that a login asks for. Default 15 (SP 800-63B-4).
    pub shortest: usize,
    /// The fewest characters where a second factor is asked for, too. Default 8 (SP 800-63B-4).
    pub shortest_with_second_factor: usize,
    /// The most characters. Default 256 (SP 800-63B-4: at least 64).
    pub longest: usize,
    /// Words that attackers try at this app first: its name, its domain.
    pub words: Vec<String>,
}

impl Default for Policy {
    fn default() -> Self {
        Self { shortest: 15, shortest_with_second_factor: 8, longest: 256, words: Vec::new() }
    }
}

/// Why a password may not be chosen.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Weak {
    /// Too few characters.
    #[error("the password has fewer than {0} characters")]
    TooShort(usize),
    /// Too many characters.
    #[error("the password has more than {0} characters")]
    TooLong(usize),
    /// Attackers try it first.
    #[error("the password is one of those that attackers try first")]
    Common,
    /// Little is left of it without the address or the app's name.
    #[error("the password is little more than the address or the name of the app")]
    Context,
}

impl Policy {
    /// Judges a password for an address.
    pub(super) fn judge(
        &self,
        lists: &[Blocklist],
        password: &str,
        address: &Address,
        has_second_factor: bool,
    ) -> Result<(), Weak> {
        let password = prepare(password);
        let length = password.chars().count();
        let least = if has_second_factor { self.shortest_with_second_factor } else { self.shortest };
        if length < least {
            return Err(Weak::TooShort(least));
        }
        if length > self.longest {
            return Err(Weak::TooLong(self.longest));
        }
        if lists.iter().any(|list| list.contains(&password)) || repeats(&password) {
            return Err(Weak::Common);
        }
        if self.is_of_context(&password.to_lowercase(), address) {
            return Err(Weak::Context);
        }
        Ok(())
    }

    fn is_of_context(&self, password: &str, address: &Address) -> bool {
        let key = address.key();
        let own = self.words.iter().map(|word| word.to_lowercase());
        let parts = key.split(|c: char| !c.is_alphanumeric()).map(str::to_owned);
        let mut words: Vec<String> = own.chain(parts).chain([key.to_owned()]).collect();
        words.retain(|word| word.chars().count() >= SHORTEST_WORD);
        // The longest first: the whole address before its parts.
        words.sort_by_key(|word| std::cmp::Reverse(word.len()));
        let rest = words.iter().fold(password.to_owned(), |rest, word| rest.replace(word.as_str(), ""));
        rest.len() < password.len() && rest.chars().count() < REST
    }
}

/// Whether it is a few characters again and again: `aaaaaaaaaaaaaaa`, `abcabcabcabcabc`.
fn repeats(password: &str) -> bool {
    let characters: Vec<char> = password.chars().collect();
    (1..REST.min(characters.len() / 2 + 1))
        .any(|period| characters.iter().zip(characters.iter().skip(period)).all(|(one, next)| one == next))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_passwords_pass_whatever_their_characters() {
        let policy = Policy { words: vec!["Orchard".to_owned()], ..Policy::default() };
        let lists = [Blocklist::common().unwrap()];
        let address = Address::read("ada.lovelace@analytical.example").unwrap();
        let judge = |password: &str, second| policy.judge(&lists, password, &address, second);
        for good in [
            "correct horse battery",
            "aaaaaaaaabbbbbbbbbbbbb c",
            "Пароль длинный, да?",
            "🦔🦔 hedgehogs 🦔 run",
        ] {
            assert_eq!(judge(good, false), Ok(()), "{good}");
        }
        assert_eq!(judge("fourteen chars", false), Err(Weak::TooShort(15)));
        assert_eq!(judge("fourteen chars", true), Ok(()));
        assert_eq!(judge("seven c", true), Err(Weak::TooShort(8)));
        assert_eq!(judge(&"no ".repeat(100), false), Err(Weak::TooLong(256)));
        assert_eq!(judge("PASSWORDpassword", false), Err(Weak::Common));
        assert_eq!(judge("abcabcabcabcabcabc", false), Err(Weak::Common));
        assert_eq!(judge("ada.lovelace@analytical.example", false), Err(Weak::Context));
        assert_eq!(judge("Orchard-lovelace-2026", false), Err(Weak::Context));
        assert_eq!(judge("orchard has many apples", false), Ok(()));
    }
}
