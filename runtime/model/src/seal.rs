//! The home's key, and what is sealed with it: readable by who has the key, and nowhere else.
//!
//! Pure: the key and what is random are given; nothing here reads a file.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use ring::aead::{Aad, CHACHA20_POLY1305, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;

/// Of the key, in bytes.
pub const KEY: usize = 32;
/// Of what tells one [`Seal`] from every other, in bytes.
pub const SALT: usize = 16;
/// The first byte of what is sealed, so that another form can follow.
const FORM: u8 = 1;
const COUNTER: usize = 8;
const HEAD: usize = 1 + SALT + COUNTER;

/// What was sealed can't be opened: with another key, for another place, or it was changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it was sealed with another key, or has been changed")]
pub struct Broken;

/// Seals and opens with one key. Clones count on together.
///
/// ChaCha20-Poly1305 (RFC 8439) under a key of its own for each `Seal`, derived from the home's
/// with the salt; the nonce is a counter. So no nonce comes twice under one key, however often a
/// home is started, as long as no salt does.
#[derive(Clone)]
pub struct Seal(Arc<Inner>);

struct Inner {
    home: hmac::Key,
    salt: [u8; SALT],
    own: LessSafeKey,
    sealed: AtomicU64,
}

impl Seal {
    /// `salt` is random, and new each time.
    pub fn new(key: &[u8; KEY], salt: [u8; SALT]) -> Self {
        let home = hmac::Key::new(hmac::HMAC_SHA256, key);
        Self(Arc::new(Inner {
            own: derived(&home, &salt),
            home,
            salt,
            sealed: AtomicU64::new(0),
        }))
    }

    /// Tells keys apart, and tells nothing of the key: 16 hexadecimal digits.
    pub fn fingerprint(&self) -> String {
        self.token("fingerprint", &[])[..16].to_owned()
    }

    /// A word that nobody can guess who has not the key, the same for the same parts: 40
    /// hexadecimal digits.
    pub fn token(&self, purpose: &str, parts: &[&str]) -> String {
        let mut context = hmac::Context::with_key(&self.0.home);
        for part in std::iter::once(&purpose).chain(parts) {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part.as_bytes());
        }
        let mut word = crate::action::hex(context.sign().as_ref());
        word.truncate(40);
        word
    }

    /// Opens for the same `place` alone, so that nothing can be moved elsewhere.
    pub fn seal(&self, place: &str, plain: &[u8]) -> Vec<u8> {
        let counter = self.0.sealed.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut body = Vec::with_capacity(HEAD + plain.len() + CHACHA20_POLY1305.tag_len());
        body.extend_from_slice(plain);
        let tag = self
            .0
            .own
            .seal_in_place_separate_tag(nonce(counter), Aad::from(place.as_bytes()), &mut body)
            .expect("nothing is as long as ChaCha20 takes at most");
        let mut sealed = Vec::with_capacity(HEAD + body.len() + tag.as_ref().len());
        sealed.push(FORM);
        sealed.extend_from_slice(&self.0.salt);
        sealed.extend_from_slice(&counter);
        sealed.append(&mut body);
        sealed.extend_from_slice(tag.as_ref());
        sealed
    }

    /// What was sealed for `place`, by whatever process with this key.
    pub fn open(&self, place: &str, sealed: &[u8]) -> Result<Vec<u8>, Broken> {
        let (head, body) = sealed.split_at_checked(HEAD).ok_or(Broken)?;
        let (salt, counter) = head[1..].split_at(SALT);
        if head[0] != FORM {
            return Err(Broken);
        }
        let counter: [u8; COUNTER] = counter.try_into().map_err(|_| Broken)?;
        let other;
        let key = if salt == self.0.salt {
            &self.0.own
        } else {
            other = derived(&self.0.home, salt);
            &other
        };
        let mut body = body.to_vec();
        let plain = key
            .open_in_place(nonce(counter), Aad::from(place.as_bytes()), &mut body)
            .map_err(|_| Broken)?
            .len();
        body.truncate(plain);
        Ok(body)
    }
}

impl std::fmt::Debug for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Seal({})", self.fingerprint())
    }
}

fn derived(home: &hmac::Key, salt: &[u8]) -> LessSafeKey {
    let mut context = hmac::Context::with_key(home);
    context.update(b"evenkeel seal ");
    context.update(salt);
    let key = UnboundKey::new(&CHACHA20_POLY1305, context.sign().as_ref());
    LessSafeKey::new(key.expect("SHA-256 gives as many bytes as the key has"))
}

fn nonce(counter: [u8; COUNTER]) -> Nonce {
    let mut nonce = [0; NONCE_LEN];
    nonce[NONCE_LEN - COUNTER..].copy_from_slice(&counter);
    Nonce::assume_unique_for_key(nonce)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn seal(key: u8, salt: u8) -> Seal {
        Seal::new(&[key; KEY], [salt; SALT])
    }

    #[test]
    fn only_the_same_key_opens_it_and_only_for_its_place() {
        let sealed = seal(1, 1).seal("event 7 3", b"what a plugin saw");
        assert_eq!(seal(1, 1).open("event 7 3", &sealed).unwrap(), b"what a plugin saw");
        assert_eq!(
            seal(1, 2).open("event 7 3", &sealed).unwrap(),
            b"what a plugin saw",
            "another start"
        );
        assert_eq!(seal(1, 1).open("event 7 4", &sealed), Err(Broken));
        assert_eq!(seal(2, 1).open("event 7 3", &sealed), Err(Broken));
        assert!(!sealed.windows(6).any(|window| window == b"plugin"));
    }

    #[test]
    fn the_same_text_is_never_sealed_the_same() {
        let one = seal(1, 1);
        let again = one.clone();
        let all: HashSet<_> = (0..100)
            .flat_map(|_| [one.seal("p", b"x"), again.seal("p", b"x")])
            .collect();
        assert_eq!(all.len(), 200);
    }

    #[test]
    fn words_and_fingerprints_depend_on_the_key_and_on_every_part() {
        let words: HashSet<_> = [
            seal(1, 1).token("a", &["b", "c"]),
            seal(1, 1).token("a", &["bc"]),
            seal(1, 1).token("ab", &["c"]),
            seal(2, 1).token("a", &["b", "c"]),
        ]
        .into();
        assert_eq!(words.len(), 4);
        assert_eq!(
            seal(1, 1).token("a", &["b"]),
            seal(1, 9).token("a", &["b"]),
            "not on the start"
        );
        assert_eq!(seal(1, 1).fingerprint(), seal(1, 2).fingerprint());
        assert_ne!(seal(1, 1).fingerprint(), seal(2, 1).fingerprint());
    }

    proptest! {
        #[test]
        fn whatever_is_changed_or_cut_is_not_opened(plain in proptest::collection::vec(any::<u8>(), 0..64), at in any::<prop::sample::Index>(), bit in 0..8_u8) {
            let seal = seal(1, 1);
            let sealed = seal.seal("p", &plain);
            prop_assert_eq!(seal.open("p", &sealed), Ok(plain));
            let at = at.index(sealed.len());
            let mut changed = sealed.clone();
            changed[at] ^= 1 << bit;
            prop_assert_eq!(seal.open("p", &changed), Err(Broken));
            prop_assert_eq!(seal.open("p", &sealed[..at]), Err(Broken));
        }
    }
}
