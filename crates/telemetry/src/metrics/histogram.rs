//! A histogram of a fixed number of buckets: 4 bytes a bucket, so that many of them fit.

use super::exposition::Exposition;

/// Counts by bucket; `BOUNDS` is not kept, but given when it is read or written.
#[derive(Clone, Debug)]
pub(super) struct Histogram<const N: usize> {
    counts: [u32; N],
    over: u32,
    sum: f64,
}

impl<const N: usize> Default for Histogram<N> {
    fn default() -> Self {
        Self {
            counts: [0; N],
            over: 0,
            sum: 0.0,
        }
    }
}

impl<const N: usize> Histogram<N> {
    pub(super) fn observe(&mut self, bounds: &[f64; N], value: f64) {
        let at = bounds.iter().position(|bound| value <= *bound);
        let count = match at.and_then(|at| self.counts.get_mut(at)) {
            Some(count) => count,
            None => &mut self.over,
        };
        *count = count.wrapping_add(1);
        self.sum += value;
    }

    pub(super) fn is_empty(&self) -> bool {
        self.over == 0 && self.counts.iter().all(|count| *count == 0)
    }

    /// Its samples, with these labels.
    pub(super) fn write(
        &self,
        page: &mut Exposition,
        name: &str,
        bounds: &[f64; N],
        labels: &[(&str, &str)],
    ) {
        let bucket = format!("{name}_bucket");
        let mut total = 0u64;
        for (bound, count) in bounds.iter().zip(self.counts) {
            total += u64::from(count);
            let bound = number(*bound);
            page.sample(&bucket, &[labels, &[("le", bound.as_str())]].concat(), total);
        }
        total += u64::from(self.over);
        page.sample(&bucket, &[labels, &[("le", "+Inf")]].concat(), total);
        page.sample(&format!("{name}_sum"), labels, self.sum);
        page.sample(&format!("{name}_count"), labels, total);
    }
}

/// As Go prints it: large ones with an exponent.
fn number(value: f64) -> String {
    if value >= 1e6 {
        format!("1e+{:02}", value.log10().round())
    } else {
        value.to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn buckets_are_cumulative() {
        let mut histogram = Histogram::<2>::default();
        let bounds = [1.0, 1e6];
        for value in [0.5, 1.0, 5.0, 2e6] {
            histogram.observe(&bounds, value);
        }
        let mut page = Exposition::default();
        histogram.write(&mut page, "h", &bounds, &[("a", "b")]);
        assert_eq!(
            page.finish(),
            "h_bucket{a=\"b\",le=\"1\"} 2\nh_bucket{a=\"b\",le=\"1e+06\"} 3\nh_bucket{a=\"b\",le=\"+Inf\"} 4\n\
             h_sum{a=\"b\"} 2000006.5\nh_count{a=\"b\"} 4\n"
        );
    }
}
