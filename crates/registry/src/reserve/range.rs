//! The ranges that cluster IPs come from, of both families.

use std::net::IpAddr;

use warren_apimachinery::address;

/// A range of addresses, each of which has a number: 0 is the first that can be given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cidr(address::Cidr);

/// A family of addresses, named as `spec.ipFamilies` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Family {
    /// `IPv4`.
    V4,
    /// `IPv6`.
    V6,
}

impl Family {
    /// The family of an address.
    pub fn of(address: &str) -> Self {
        if address.contains(':') { Self::V6 } else { Self::V4 }
    }

    /// As the API writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }

    /// The one that it is not.
    pub fn other(self) -> Self {
        match self {
            Self::V4 => Self::V6,
            Self::V6 => Self::V4,
        }
    }
}

impl Cidr {
    /// The range of `bits` leading bits that holds `address`. It always has an address to give: more bits than
    /// leave one are cut.
    pub fn new(address: impl Into<IpAddr>, bits: u8) -> Self {
        let address = address.into();
        let most = if address.is_ipv4() { 30 } else { 126 };
        let bits = bits.min(most);
        Self(address::Cidr { address, bits }.masked())
    }

    /// Reads `10.96.0.0/16`.
    pub fn parse(text: &str) -> Option<Self> {
        let address::Cidr { address, bits } = address::Cidr::parse(text)?;
        Some(Self::new(address, bits))
    }

    /// Its family.
    pub fn family(self) -> Family {
        if self.0.address.is_ipv4() {
            Family::V4
        } else {
            Family::V6
        }
    }

    /// How many addresses can be given: not the network's own and, in IPv4, not the broadcast one. Upstream gives no
    /// more than 2^16 of a range of IPv6.
    pub(super) fn size(self) -> u32 {
        match self.0.address {
            IpAddr::V4(_) => {
                let all = u32::MAX.checked_shr(u32::from(self.0.bits)).unwrap_or_default();
                all.saturating_sub(1)
            }
            IpAddr::V6(_) => {
                let all = u128::MAX.checked_shr(u32::from(self.0.bits)).unwrap_or_default();
                u32::try_from(all).unwrap_or(u32::MAX).min(u32::from(u16::MAX))
            }
        }
    }

    /// The first address, which is the API server's own Service.
    pub fn first(self) -> IpAddr {
        self.nth(0)
    }

    pub(super) fn nth(self, number: u32) -> IpAddr {
        match self.0.address {
            IpAddr::V4(base) => IpAddr::V4((base.to_bits() + 1 + number).into()),
            IpAddr::V6(base) => IpAddr::V6((base.to_bits() + 1 + u128::from(number)).into()),
        }
    }

    pub(super) fn number(self, address: IpAddr) -> Option<u32> {
        let after_first = match (address, self.0.address) {
            (IpAddr::V4(address), IpAddr::V4(base)) => address.to_bits().checked_sub(base.to_bits() + 1)?,
            (IpAddr::V6(address), IpAddr::V6(base)) => {
                u32::try_from(address.to_bits().checked_sub(base.to_bits() + 1)?).ok()?
            }
            _ => return None,
        };
        (after_first < self.size()).then_some(after_first)
    }
}

impl std::fmt::Display for Cidr {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[test]
    fn numbers_run_from_the_first_address_to_the_last_that_can_be_given() {
        let range = Cidr::new([10, 96, 0, 7], 24);
        assert_eq!(range.first(), IpAddr::from([10, 96, 0, 1]));
        assert_eq!(range.size(), 254);
        assert_eq!(range.number([10, 96, 0, 254].into()), Some(253));
        for outside in [[10, 96, 0, 0], [10, 96, 0, 255], [10, 96, 1, 1]] {
            assert_eq!(range.number(outside.into()), None, "{outside:?}");
        }
        let range = Cidr::new(Ipv6Addr::new(0xfd00, 0, 0, 0, 0, 0, 0, 0), 108);
        assert_eq!(range.size(), 65_535);
        assert_eq!(range.nth(9).to_string(), "fd00::a");
        assert_eq!(range.number(range.nth(9)), Some(9));
    }
}
