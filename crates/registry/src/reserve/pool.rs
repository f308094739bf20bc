//! A pool of numbers: which are taken, and which to give next.

use std::collections::BTreeSet;

/// Why a number was not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// It is not one of the pool's.
    OutOfRange,
    /// Someone has it.
    Taken,
    /// All are taken.
    Exhausted,
}

/// Numbers from 0 to `size`, exclusive. Costs memory for what is taken only.
pub(crate) struct Pool {
    size: u32,
    /// Below this, numbers are given only to those who ask for them by name.
    dynamic_from: u32,
    taken: BTreeSet<u32>,
    /// What was taken since `begin`.
    recent: Vec<u32>,
}

impl Pool {
    pub(crate) fn new(size: u32, dynamic_from: u32) -> Self {
        Self {
            size,
            dynamic_from,
            taken: BTreeSet::new(),
            recent: Vec::new(),
        }
    }

    /// Starts an allocation of several numbers.
    pub(crate) fn begin(&mut self) {
        self.recent.clear();
    }

    /// Gives back what was taken since `begin`.
    pub(crate) fn roll_back(&mut self) {
        for number in self.recent.drain(..) {
            self.taken.remove(&number);
        }
    }

    /// Takes this number.
    pub(crate) fn take(&mut self, number: u32) -> Result<(), Denied> {
        if number >= self.size {
            return Err(Denied::OutOfRange);
        }
        if !self.taken.insert(number) {
            return Err(Denied::Taken);
        }
        self.recent.push(number);
        Ok(())
    }

    /// Marks a number as taken, whether or not it was: for rebuilding from what is there.
    pub(crate) fn mark(&mut self, number: u32) {
        if number < self.size {
            self.taken.insert(number);
        }
    }

    /// Takes a free number, the search starting at a `random` place.
    pub(crate) fn take_any(&mut self, random: u32) -> Result<u32, Denied> {
        let dynamic = self.size - self.dynamic_from;
        let place = |step: u32| {
            if step < dynamic {
                self.dynamic_from + (random % dynamic.max(1) + step) % dynamic
            } else {
                step - dynamic
            }
        };
        let free = (0..self.size)
            .map(place)
            .find(|number| !self.taken.contains(number));
        let free = free.ok_or(Denied::Exhausted)?;
        self.taken.insert(free);
        self.recent.push(free);
        Ok(free)
    }

    /// Whether somebody has it.
    pub(crate) fn has(&self, number: u32) -> bool {
        self.taken.contains(&number)
    }

    pub(crate) fn free(&mut self, number: u32) {
        self.taken.remove(&number);
    }
}

/// A place to start a search at.
pub(crate) fn random() -> u32 {
    let (high, _) = uuid::Uuid::new_v4().as_u64_pair();
    u32::try_from(high >> 32).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn gives_every_number_once_and_the_lower_band_last() {
        let mut pool = Pool::new(8, 2);
        assert_eq!(pool.take(1), Ok(()));
        assert_eq!(pool.take(1), Err(Denied::Taken));
        assert_eq!(pool.take(8), Err(Denied::OutOfRange));
        let given: Vec<u32> = (0..7).map(|_| pool.take_any(5).unwrap()).collect();
        assert_eq!(given, [7, 2, 3, 4, 5, 6, 0]);
        assert_eq!(pool.take_any(0), Err(Denied::Exhausted));
        pool.free(3);
        assert_eq!(pool.take_any(0), Ok(3));
    }
}
