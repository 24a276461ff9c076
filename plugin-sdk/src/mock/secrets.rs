use std::collections::BTreeMap;

use sha2::{Digest, Sha256};

/// The block of SHA-256, in bytes (FIPS 180-4).
const BLOCK: usize = 64;
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// What stands for a secret; nothing that a plugin should rely on.
pub(crate) fn reference(name: &str) -> String {
    format!("{{{{secret:{name}}}}}")
}

/// Puts the values where their references are.
pub(crate) fn replaced(text: &str, secrets: &BTreeMap<String, String>) -> String {
    secrets.iter().fold(text.to_owned(), |text, (name, value)| {
        text.replace(&reference(name), value)
    })
}

/// RFC 2104, in standard base64 (RFC 4648).
pub(crate) fn hmac_sha256(key: &str, message: &str) -> String {
    let mut block = [0; BLOCK];
    if key.len() > BLOCK {
        block[..32].copy_from_slice(&Sha256::digest(key));
    } else {
        block[..key.len()].copy_from_slice(key.as_bytes());
    }
    let inner = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x36))
        .chain_update(message)
        .finalize();
    let outer = Sha256::new()
        .chain_update(block.map(|byte| byte ^ 0x5c))
        .chain_update(inner)
        .finalize();
    base64(&outer)
}

fn base64(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.chunks(3) {
        let group = chunk.iter().fold(0u32, |group, byte| group << 8 | u32::from(*byte)) << (8 * (3 - chunk.len()));
        for place in 0..4 {
            let letter = BASE64[(group >> (18 - 6 * place) & 63) as usize];
            text.push(if place <= chunk.len() { letter.into() } else { '=' });
        }
    }
    text
}
