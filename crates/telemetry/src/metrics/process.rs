//! What the process uses, under the names that Prometheus' clients give it. Read when asked for.

use std::fs;
use std::sync::LazyLock;
use std::time::{SystemTime, UNIX_EPOCH};

use super::exposition::Exposition;

/// What Linux counts processor time in.
const TICKS_PER_SECOND: f64 = 100.0;

static STARTED: LazyLock<f64> = LazyLock::new(|| {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.map(|since| since.as_secs_f64()).unwrap_or_default()
});

/// When the process began, in seconds since 1970; the first call decides, so make it early.
pub fn started() -> f64 {
    *STARTED
}

/// Adds `process_*`; what the system does not tell is left out.
pub fn write(page: &mut Exposition) {
    if let Some((cpu, virtual_bytes)) = stat() {
        page.single(
            "process_cpu_seconds_total",
            "Total user and system CPU time spent in seconds.",
            "counter",
            cpu,
        );
        page.single(
            "process_virtual_memory_bytes",
            "Virtual memory size in bytes.",
            "gauge",
            virtual_bytes,
        );
    }
    if let Some(resident) = resident() {
        page.single(
            "process_resident_memory_bytes",
            "Resident memory size in bytes.",
            "gauge",
            resident,
        );
    }
    if let Ok(open) = fs::read_dir("/proc/self/fd") {
        page.single(
            "process_open_fds",
            "Number of open file descriptors.",
            "gauge",
            open.count(),
        );
    }
    if let Some(most) = max_files() {
        page.single(
            "process_max_fds",
            "Maximum number of open file descriptors.",
            "gauge",
            most,
        );
    }
    start_time(page);
}

/// Adds `process_start_time_seconds` alone.
pub fn start_time(page: &mut Exposition) {
    page.single(
        "process_start_time_seconds",
        "Start time of the process since unix epoch in seconds.",
        "gauge",
        started(),
    );
}

/// Processor seconds and virtual bytes.
fn stat() -> Option<(f64, u64)> {
    let text = fs::read_to_string("/proc/self/stat").ok()?;
    // The name, in parentheses, may hold spaces.
    let fields: Vec<&str> = text.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at)?.parse::<u32>().ok();
    let cpu = f64::from(ticks(11)?) + f64::from(ticks(12)?);
    Some((cpu / TICKS_PER_SECOND, fields.get(20)?.parse().ok()?))
}

fn resident() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/status").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    let kilobytes: u64 = line.split_whitespace().next()?.parse().ok()?;
    Some(kilobytes * 1024)
}

fn max_files() -> Option<u64> {
    let text = fs::read_to_string("/proc/self/limits").ok()?;
    let line = text
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"))?;
    line.split_whitespace().next()?.parse().ok()
}
