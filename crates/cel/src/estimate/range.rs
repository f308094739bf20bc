//! Numbers from a least to a most, which do not overflow.

/// The least and the most that an evaluation may cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Estimate {
    /// At least.
    pub min: u64,
    /// At most; the greatest number if nothing bounds it.
    pub max: u64,
}

/// A size or a cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub(super) min: u64,
    pub(super) max: u64,
}

impl Range {
    pub(super) const UNKNOWN: Self = Self {
        min: 0,
        max: u64::MAX,
    };

    pub(super) const fn fixed(number: u64) -> Self {
        Self {
            min: number,
            max: number,
        }
    }

    /// From the least of all to the most of all; of none, zero.
    pub(super) fn spanning(all: &[Self]) -> Self {
        let whole = all.iter().copied().reduce(Self::union);
        whole.unwrap_or(Self::fixed(0))
    }

    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            min: self.min.saturating_add(other.min),
            max: self.max.saturating_add(other.max),
        }
    }

    pub(super) fn times(self, other: Self) -> Self {
        Self {
            min: self.min.saturating_mul(other.min),
            max: self.max.saturating_mul(other.max),
        }
    }

    /// Multiplied by a factor and rounded up.
    pub(super) fn scaled(self, factor: f64) -> Self {
        Self {
            min: scaled(self.min, factor),
            max: scaled(self.max, factor),
        }
    }

    pub(super) fn union(self, other: Self) -> Self {
        Self {
            min: self.min.min(other.min),
            max: self.max.max(other.max),
        }
    }
}

fn scaled(number: u64, factor: f64) -> u64 {
    // Conversion to whole numbers saturates.
    (number as f64 * factor).ceil() as u64
}
