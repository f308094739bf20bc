//! IP addresses and CIDRs as upstream reads them: what old fields take, what new fields take, and what is warned about.
//!
//! Owns the texts. Whether an address is in a range, free or sensible is the business of who asks.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

const NOT_AN_IP: &str = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)";
const NOT_A_CIDR: &str = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)";

/// A range of addresses: where it starts, as written, and the length of its prefix.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr {
    /// The address in front of the slash; bits beyond the prefix are as written.
    pub address: IpAddr,
    /// The length of the prefix.
    pub bits: u8,
}

impl Cidr {
    /// Reads `address/bits`, leading zeros and all, as upstream's old parser does.
    pub fn parse(text: &str) -> Option<Self> {
        let (address, bits) = text.split_once('/')?;
        let address = parse_ip(address)?;
        let is_plain = !bits.is_empty() && bits.bytes().all(|b| b.is_ascii_digit());
        let bits = is_plain.then(|| bits.trim_start_matches('0'))?;
        let bits: u8 = if bits.is_empty() { 0 } else { bits.parse().ok()? };
        (bits <= width(address)).then_some(Self { address, bits })
    }

    /// The same range, its address without the bits beyond the prefix.
    #[must_use]
    pub fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(ip) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4(Ipv4Addr::from_bits(ip.to_bits() & mask))
            }
            IpAddr::V6(ip) => {
                let mask = u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V6(Ipv6Addr::from_bits(ip.to_bits() & mask))
            }
        };
        Self { address, ..self }
    }

    /// Whether the address lies in the range.
    pub fn contains(self, address: IpAddr) -> bool {
        let other = Self { address, ..self };
        self.address.is_ipv4() == address.is_ipv4() && self.masked() == other.masked()
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.bits)
    }
}

fn width(address: IpAddr) -> u8 {
    if address.is_ipv4() { 32 } else { 128 }
}

/// Reads an address; numbers of IPv4 may have leading zeros, as upstream's old parser takes them.
pub fn parse_ip(text: &str) -> Option<IpAddr> {
    if let Ok(ip) = text.parse() {
        return Some(ip);
    }
    let (head, tail) = match text.rfind(':') {
        Some(at) => text.split_at(at + 1),
        None => ("", text),
    };
    let numbers: Vec<&str> = tail.split('.').collect();
    let is_number = |text: &&str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if numbers.len() != 4 || !numbers.iter().all(is_number) {
        return None;
    }
    let plain = |text: &&str| match text.trim_start_matches('0') {
        "" => "0".to_owned(),
        rest => rest.to_owned(),
    };
    let tail = numbers.iter().map(plain).collect::<Vec<_>>().join(".");
    format!("{head}{tail}").parse().ok()
}

/// An address with its IPv4 form taken out of an IPv6 one, as Go prints it.
fn plain(address: IpAddr) -> IpAddr {
    address.to_canonical()
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(ip) if ip.to_ipv4_mapped().is_some())
}

/// What is wrong with an address in a field that is older than the strict rules: any spelling will do.
pub fn ip(text: &str) -> Option<String> {
    let Some(address) = parse_ip(text) else {
        return Some(NOT_AN_IP.to_owned());
    };
    if text.parse::<IpAddr>().is_err() {
        Some("must not have leading 0s".to_owned())
    } else if is_mapped(address) {
        Some("must not be an IPv4-mapped IPv6 address".to_owned())
    } else {
        None
    }
}

/// What is wrong with an address in a newer field: one spelling only.
pub fn canonical_ip(text: &str) -> Option<String> {
    ip(text).or_else(|| {
        let canonical = parse_ip(text)?.to_string();
        (canonical != text).then(|| format!("must be in canonical form ({canonical:?})"))
    })
}

/// What is wrong with a range in a field that is older than the strict rules.
pub fn cidr(text: &str) -> Option<String> {
    let Some(range) = Cidr::parse(text) else {
        return Some(NOT_A_CIDR.to_owned());
    };
    if has_leading_zeros(text) {
        Some("must not have leading 0s in IP or prefix length".to_owned())
    } else if is_mapped(range.address) {
        Some("must not have an IPv4-mapped IPv6 address".to_owned())
    } else if range.masked() != range {
        Some("must not have bits set beyond the prefix length".to_owned())
    } else {
        None
    }
}

/// What is wrong with a range in a newer field: one spelling only.
pub fn canonical_cidr(text: &str) -> Option<String> {
    cidr(text).or_else(|| {
        let canonical = Cidr::parse(text)?.masked().to_string();
        (canonical != text).then(|| format!("must be in canonical form ({canonical:?})"))
    })
}

fn has_leading_zeros(text: &str) -> bool {
    let (address, bits) = text.split_once('/').unwrap_or((text, ""));
    address.parse::<IpAddr>().is_err() || (bits.len() > 1 && bits.starts_with('0'))
}

/// The warning about an address at `path` that is not written as it should be.
pub fn ip_warning(path: &str, text: &str) -> Option<String> {
    let address = parse_ip(text)?;
    if text.parse::<IpAddr>().is_err() || is_mapped(address) {
        let better = plain(address).to_string();
        return Some(format!(
            "{path}: non-standard IP address {text:?} is invalid: use {better:?}"
        ));
    }
    let canonical = address.to_string();
    (address.is_ipv6() && canonical != text).then(|| {
        format!("{path}: IPv6 address {text:?} should be in RFC 5952 canonical format ({canonical:?})")
    })
}

/// The warnings about a range at `path` that is not written as it should be.
pub fn cidr_warnings(path: &str, text: &str) -> Vec<String> {
    let mut warnings = Vec::new();
    let Some(range) = Cidr::parse(text) else {
        return warnings;
    };
    let masked = range.masked();
    let net = Cidr {
        address: plain(masked.address),
        bits: if is_mapped(range.address) {
            range.bits.saturating_sub(96)
        } else {
            range.bits
        },
    };
    if masked != range {
        let single = format!("{}/{}", plain(range.address), width(range.address));
        warnings.push(format!(
            "{path}: CIDR value {text:?} is ambiguous in this context (should be \"{net}\" or {single:?}?)"
        ));
    }
    if has_leading_zeros(text) || is_mapped(range.address) {
        warnings.push(format!(
            "{path}: non-standard CIDR value {text:?} is invalid: use \"{net}\""
        ));
    }
    if warnings.is_empty() && range.address.is_ipv6() && range.to_string() != text {
        warnings.push(format!(
            "{path}: IPv6 CIDR value {text:?} should be in RFC 5952 canonical format (\"{range}\")"
        ));
    }
    warnings
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_fields_take_any_spelling_but_no_other_address() {
        for (text, wrong) in [
            ("1.2.3.4", None),
            ("FD00:0::1", None),
            ("", Some(NOT_AN_IP)),
            ("1.2.3", Some(NOT_AN_IP)),
            ("1.2.3.04", Some("must not have leading 0s")),
            ("::ffff:1.2.3.4", Some("must not be an IPv4-mapped IPv6 address")),
        ] {
            assert_eq!(ip(text).as_deref(), wrong, "{text}");
        }
        assert_eq!(
            canonical_ip("FD00:0::1").as_deref(),
            Some("must be in canonical form (\"fd00::1\")")
        );
    }

    #[test]
    fn ranges_have_no_bits_beyond_their_prefix() {
        for (text, wrong) in [
            ("10.0.0.0/8", None),
            ("::/0", None),
            ("10.0.0.0/33", Some(NOT_A_CIDR)),
            ("10.0.0.0", Some(NOT_A_CIDR)),
            (
                "10.0.0.0/08",
                Some("must not have leading 0s in IP or prefix length"),
            ),
            (
                "10.0.0.1/8",
                Some("must not have bits set beyond the prefix length"),
            ),
        ] {
            assert_eq!(cidr(text).as_deref(), wrong, "{text}");
        }
        assert!(Cidr::parse("10.0.0.0/8").is_some_and(|range| range.contains([10, 1, 2, 3].into())));
    }

    #[test]
    fn warns_about_spellings() {
        assert_eq!(ip_warning("a", "10.0.0.1"), None);
        assert_eq!(
            ip_warning("a", "010.0.0.1").as_deref(),
            Some("a: non-standard IP address \"010.0.0.1\" is invalid: use \"10.0.0.1\"")
        );
        assert_eq!(
            cidr_warnings("a", "10.0.0.1/8"),
            [
                "a: CIDR value \"10.0.0.1/8\" is ambiguous in this context (should be \"10.0.0.0/8\" or \"10.0.0.1/32\"?)"
            ]
        );
    }
}
