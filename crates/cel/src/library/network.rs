//! IP addresses and ranges of them.

use std::net::{IpAddr, Ipv4Addr};

use warren_apimachinery::address::Cidr;

use super::{Answer, Row, netip, no_such_overload};
use crate::EvaluationError;
use crate::value::{Opaque, Value};

pub(super) const TABLE: &[Row] = &[
    ("ip", "string_to_ip", "(string) -> net.IP", ip),
    ("ip", "cidr_ip", "net.CIDR.() -> net.IP", cidr_ip),
    ("isIP", "is_ip", "(string) -> bool", is_ip),
    (
        "ip.isCanonical",
        "ip_is_canonical",
        "(string) -> bool",
        is_canonical,
    ),
    ("family", "ip_family", "net.IP.() -> int", family),
    (
        "isUnspecified",
        "ip_is_unspecified",
        "net.IP.() -> bool",
        is_unspecified,
    ),
    ("isLoopback", "ip_is_loopback", "net.IP.() -> bool", is_loopback),
    (
        "isLinkLocalMulticast",
        "ip_is_link_local_multicast",
        "net.IP.() -> bool",
        is_link_local_multicast,
    ),
    (
        "isLinkLocalUnicast",
        "ip_is_link_local_unicast",
        "net.IP.() -> bool",
        is_link_local_unicast,
    ),
    (
        "isGlobalUnicast",
        "ip_is_global_unicast",
        "net.IP.() -> bool",
        is_global_unicast,
    ),
    ("cidr", "string_to_cidr", "(string) -> net.CIDR", cidr),
    ("isCIDR", "is_cidr", "(string) -> bool", is_cidr),
    (
        "containsIP",
        "cidr_contains_ip_string",
        "net.CIDR.(string) -> bool",
        contains_ip,
    ),
    (
        "containsIP",
        "cidr_contains_ip_ip",
        "net.CIDR.(net.IP) -> bool",
        contains_ip,
    ),
    (
        "containsCIDR",
        "cidr_contains_cidr_string",
        "net.CIDR.(string) -> bool",
        contains_cidr,
    ),
    (
        "containsCIDR",
        "cidr_contains_cidr",
        "net.CIDR.(net.CIDR) -> bool",
        contains_cidr,
    ),
    (
        "prefixLength",
        "cidr_prefix_length",
        "net.CIDR.() -> int",
        prefix_length,
    ),
    ("masked", "cidr_masked", "net.CIDR.() -> net.CIDR", masked),
];

fn parse_ip(text: &str) -> Result<IpAddr, EvaluationError> {
    if let Some((_, zone)) = text.split_once('%')
        && !zone.is_empty()
    {
        let message = format!(
            "IP address {} with zone value is not allowed",
            super::strings::quoted(text)
        );
        return Err(EvaluationError::failed(message));
    }
    let parsed: Result<IpAddr, _> = text.parse();
    match parsed {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err(EvaluationError::failed(format!(
                "IPv4-mapped IPv6 address {} is not allowed",
                super::strings::quoted(text)
            )))
        }
        Ok(address) => Ok(address),
        Err(_) => {
            let quoted = super::strings::quoted(text);
            let message = format!(
                "IP Address {quoted} parse error during conversion from string: {}",
                netip::fault(text)
            );
            Err(EvaluationError::failed(message))
        }
    }
}

fn parse_cidr(text: &str) -> Result<Cidr, EvaluationError> {
    const WHILE: &str = "network address parse error during conversion from string: ";
    let quoted = super::strings::quoted(text);
    let fault =
        |why: &str| EvaluationError::failed(format!("{WHILE}{WHILE}netip.ParsePrefix({quoted}): {why}"));
    let (address, bits) = text.rsplit_once('/').ok_or_else(|| fault("no '/'"))?;
    let unzoned = address
        .split_once('%')
        .map(|(address, _)| address.parse::<IpAddr>());
    if matches!(unzoned, Some(Ok(IpAddr::V6(_)))) {
        return Err(fault("IPv6 zones cannot be present in a prefix"));
    }
    let parsed: IpAddr = address.parse().map_err(|_| fault(&netip::fault(address)))?;
    let bad_bits = || fault(&format!("bad bits after slash: {}", super::strings::quoted(bits)));
    let is_plain = !bits.is_empty()
        && bits.bytes().all(|b| b.is_ascii_digit())
        && (bits.len() == 1 || !bits.starts_with('0'));
    let length: u16 = Some(bits)
        .filter(|_| is_plain)
        .and_then(|bits| bits.parse().ok())
        .ok_or_else(bad_bits)?;
    let most = if parsed.is_ipv4() { 32 } else { 128 };
    let bits = u8::try_from(length)
        .ok()
        .filter(|bits| *bits <= most)
        .ok_or_else(|| fault("prefix length out of range"))?;
    if matches!(parsed, IpAddr::V6(address) if address.to_ipv4_mapped().is_some()) {
        return Err(EvaluationError::failed(format!(
            "{WHILE}IPv4-mapped IPv6 address {quoted} is not allowed"
        )));
    }
    Ok(Cidr {
        address: parsed,
        bits,
    })
}

fn ip<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => parse_ip(text).map(|ip| Value::Opaque(Opaque::Ip(ip))),
        _ => Err(no_such_overload()),
    }
}

fn is_ip<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::Bool(parse_ip(text).is_ok())),
        _ => Err(no_such_overload()),
    }
}

fn is_canonical<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::Bool(parse_ip(text)?.to_string() == **text)),
        _ => Err(no_such_overload()),
    }
}

fn address(arguments: &[Value<'_>]) -> Result<IpAddr, EvaluationError> {
    match arguments {
        [Value::Opaque(Opaque::Ip(ip))] => Ok(*ip),
        _ => Err(no_such_overload()),
    }
}

fn family<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Int(if address(arguments)?.is_ipv4() { 4 } else { 6 }))
}

fn is_unspecified<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(address(arguments)?.is_unspecified()))
}

fn is_loopback<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(address(arguments)?.is_loopback()))
}

fn is_link_local_multicast<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(match address(arguments)? {
        IpAddr::V4(ip) => matches!(ip.octets(), [224, 0, 0, _]),
        IpAddr::V6(ip) => ip
            .segments()
            .first()
            .is_some_and(|first| first & 0xff0f == 0xff02),
    }))
}

fn link_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    }
}

fn is_link_local_unicast<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Bool(link_local(address(arguments)?)))
}

fn is_global_unicast<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let ip = address(arguments)?;
    let is_special = ip.is_unspecified()
        || ip.is_loopback()
        || ip.is_multicast()
        || link_local(ip)
        || ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    Ok(Value::Bool(!is_special))
}

fn cidr<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => parse_cidr(text).map(|cidr| Value::Opaque(Opaque::Cidr(cidr))),
        _ => Err(no_such_overload()),
    }
}

fn is_cidr<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    match arguments {
        [Value::String(text)] => Ok(Value::Bool(parse_cidr(text).is_ok())),
        _ => Err(no_such_overload()),
    }
}

fn contains_ip<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (cidr, ip) = match arguments {
        [Value::Opaque(Opaque::Cidr(cidr)), Value::Opaque(Opaque::Ip(ip))] => (cidr, *ip),
        [Value::Opaque(Opaque::Cidr(cidr)), Value::String(text)] => {
            (cidr, parse_ip(text).map_err(|_| no_such_overload())?)
        }
        _ => return Err(no_such_overload()),
    };
    Ok(Value::Bool(cidr.contains(ip)))
}

fn contains_cidr<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    let (cidr, other) = match arguments {
        [
            Value::Opaque(Opaque::Cidr(cidr)),
            Value::Opaque(Opaque::Cidr(other)),
        ] => (cidr, *other),
        [Value::Opaque(Opaque::Cidr(cidr)), Value::String(text)] => (cidr, parse_cidr(text)?),
        _ => return Err(no_such_overload()),
    };
    Ok(Value::Bool(
        cidr.bits <= other.bits && cidr.contains(other.address),
    ))
}

fn range(arguments: &[Value<'_>]) -> Result<Cidr, EvaluationError> {
    match arguments {
        [Value::Opaque(Opaque::Cidr(cidr))] => Ok(*cidr),
        _ => Err(no_such_overload()),
    }
}

fn cidr_ip<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Opaque(Opaque::Ip(range(arguments)?.address)))
}

fn prefix_length<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Int(range(arguments)?.bits.into()))
}

fn masked<'a>(arguments: &[Value<'a>]) -> Answer<'a> {
    Ok(Value::Opaque(Opaque::Cidr(range(arguments)?.masked())))
}
