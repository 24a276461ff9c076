//! Which addresses may be dialled.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Where clouds hand out credentials to whoever asks.
const METADATA_V4: [Ipv4Addr; 4] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
];
const METADATA_V6: [Ipv6Addr; 2] = [
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0254),
    Ipv6Addr::new(0xfd00, 0x0ec2, 0, 0, 0, 0, 0, 0x0023),
];

/// `literal`: the operator wrote this very address. The error says what it is.
pub fn check(address: IpAddr, literal: bool, private: bool) -> Result<(), &'static str> {
    if private {
        return Ok(());
    }
    let address = plain(address);
    if is_metadata(address) {
        return Err("a metadata service");
    }
    let inner = match address {
        IpAddr::V4(address) => inner_v4(address),
        IpAddr::V6(address) => inner_v6(address),
    };
    match inner {
        Some(what) if !literal => Err(what),
        _ => Ok(()),
    }
}

/// The IPv4 address within an IPv6 address that stands for one (RFC 4291, 6052, 3056).
fn plain(address: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = address else { return address };
    let [a, b, c, d, e, f, g, h] = v6.segments();
    let v4 = |high: u16, low: u16| {
        let [[a, b], [c, d]] = [high.to_be_bytes(), low.to_be_bytes()];
        IpAddr::V4(Ipv4Addr::new(a, b, c, d))
    };
    match (a, b) {
        (0, 0) if [c, d, e] == [0; 3] && f == 0xffff => v4(g, h),
        // The unspecified address and loopback are written alike, and stay what they are.
        (0, 0) if [c, d, e, f] == [0; 4] && g != 0 => v4(g, h),
        (0x0064, 0xff9b) if [c, d, e, f] == [0; 4] => v4(g, h),
        (0x2002, _) => v4(b, c),
        _ => address,
    }
}

fn is_metadata(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => METADATA_V4.contains(&address),
        IpAddr::V6(address) => METADATA_V6.contains(&address),
    }
}

/// IANA's special-purpose registry.
fn inner_v4(address: Ipv4Addr) -> Option<&'static str> {
    let [a, b, c, _] = address.octets();
    match (a, b) {
        (0, _) => Some("an unspecified address"),
        (127, _) => Some("a loopback address"),
        (10, _) | (192, 168) => Some("a private address"),
        (172, 16..=31) => Some("a private address"),
        (100, 64..=127) => Some("a shared address"),
        (169, 254) => Some("a link-local address"),
        (192, 0) if c == 0 => Some("a reserved address"),
        (198, 18 | 19) => Some("a benchmarking address"),
        (224..=239, _) => Some("a multicast address"),
        (240..=255, _) => Some("a reserved address"),
        _ => None,
    }
}

fn inner_v6(address: Ipv6Addr) -> Option<&'static str> {
    let [a, b, c, ..] = address.segments();
    match a {
        0 if address.is_unspecified() => Some("an unspecified address"),
        0 if address.is_loopback() => Some("a loopback address"),
        0 => Some("a reserved address"),
        0x0064 if b == 0xff9b && c == 1 => Some("a private address"),
        0x0100 if b == 0 => Some("a discarded address"),
        0x2001 if b == 0 => Some("a tunnelled address"),
        0xfc00..=0xfdff => Some("a private address"),
        0xfe80..=0xfebf => Some("a link-local address"),
        0xfec0..=0xfeff => Some("a private address"),
        0xff00..=0xffff => Some("a multicast address"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const INNER: [&str; 24] = [
        "127.0.0.1",
        "127.9.9.9",
        "10.1.2.3",
        "172.16.0.1",
        "172.31.255.255",
        "192.168.1.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "0.1.2.3",
        "224.0.0.1",
        "255.255.255.255",
        "198.18.0.1",
        "::",
        "::1",
        "::ffff:127.0.0.1",
        "::10.0.0.1",
        "64:ff9b::10.0.0.1",
        "64:ff9b:1::1",
        "2002:7f00:1::",
        "fe80::1",
        "fd12::1",
        "ff02::1",
        "fec0::1",
    ];

    #[test]
    fn names_do_not_lead_inside() {
        for text in INNER {
            let address: IpAddr = text.parse().unwrap();
            assert!(check(address, false, false).is_err(), "{text}");
            assert_eq!(check(address, false, true), Ok(()), "{text}, and the operator said so");
            assert_eq!(check(address, true, false), Ok(()), "{text}, and the operator wrote it");
        }
    }

    #[test]
    fn public_addresses_are_dialled() {
        for text in [
            "1.1.1.1",
            "172.32.0.1",
            "100.128.0.1",
            "2606:4700::1111",
            "64:ff9b::1.1.1.1",
            "::ffff:8.8.8.8",
        ] {
            assert_eq!(check(text.parse().unwrap(), false, false), Ok(()), "{text}");
        }
    }

    #[test]
    fn metadata_services_need_the_operators_word_even_as_a_literal() {
        for text in [
            "169.254.169.254",
            "::ffff:169.254.169.254",
            "64:ff9b::169.254.169.254",
            "fd00:ec2::254",
        ] {
            let address = text.parse().unwrap();
            assert_eq!(check(address, true, false), Err("a metadata service"), "{text}");
            assert_eq!(check(address, true, true), Ok(()), "{text}");
        }
    }

    proptest! {
        #[test]
        fn every_form_of_an_inner_address_is_one(octets in any::<[u8; 4]>()) {
            let v4 = Ipv4Addr::from(octets);
            let nat64 = Ipv6Addr::from((0x0064_ff9b_u128 << 96) | u128::from(u32::from(v4)));
            let plain = check(IpAddr::V4(v4), false, false);
            prop_assert_eq!(check(IpAddr::V6(v4.to_ipv6_mapped()), false, false), plain);
            prop_assert_eq!(check(IpAddr::V6(nat64), false, false), plain);
        }
    }
}
