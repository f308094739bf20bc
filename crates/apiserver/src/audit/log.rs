//! Where audit events go: lines of JSON in a file that is rotated, or on standard output.
//!
//! A thread of its own writes, so that a slow disk holds up no request for longer than it takes to find a place in its
//! queue, and never longer than `PATIENCE`: then the event is lost and counted.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use jiff::Timestamp;
use tokio::sync::mpsc;

/// Lines that may wait for the disk.
const QUEUE: usize = 10_000;
/// How long a request waits for a place among them.
const PATIENCE: Duration = Duration::from_secs(5);

/// When a file is set aside, and how many such files are kept. Zero means no bound, as upstream.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rotation {
    /// The size, in MiB, at which a new file is begun.
    pub max_size: u64,
    /// How many old files are kept.
    pub max_backups: usize,
    /// For how many days.
    pub max_age: u64,
}

/// An open audit log. Whoever opened it closes it.
pub struct AuditLog {
    lines: Mutex<Option<mpsc::Sender<Bytes>>>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl AuditLog {
    /// Opens a file, or standard output for `-`, and starts its writer.
    ///
    /// # Errors
    /// When the file cannot be opened or no thread started.
    pub fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        let mut target = match path.to_str() {
            Some("-") => Target::Output,
            _ => Target::File(LogFile::open(path, rotation)?),
        };
        let (lines, mut queue) = mpsc::channel::<Bytes>(QUEUE);
        let writer = std::thread::Builder::new()
            .name("audit".to_owned())
            .spawn(move || {
                let mut batch = Vec::new();
                while let Some(line) = queue.blocking_recv() {
                    batch.extend_from_slice(&line);
                    while let Ok(line) = queue.try_recv() {
                        batch.extend_from_slice(&line);
                        if batch.len() > 1 << 20 {
                            break;
                        }
                    }
                    if let Err(error) = target.write(&batch) {
                        tracing::error!(%error, "audit events could not be written");
                    }
                    batch.clear();
                }
            })?;
        Ok(Self {
            lines: Mutex::new(Some(lines)),
            writer: Mutex::new(Some(writer)),
        })
    }

    fn sender(&self) -> Option<mpsc::Sender<Bytes>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Hands over a line; false when it is lost.
    pub(super) async fn write(&self, line: Bytes) -> bool {
        let Some(lines) = self.sender() else { return false };
        lines.send_timeout(line, PATIENCE).await.is_ok()
    }

    /// The same where nobody can wait.
    pub(super) fn write_now(&self, line: Bytes) -> bool {
        self.sender().is_some_and(|lines| lines.try_send(line).is_ok())
    }

    /// Writes what waits, and ends the writer. Blocks: call it where that is allowed.
    pub fn close(&self) {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner).take();
        let writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writer) = writer
            && writer.join().is_err()
        {
            tracing::error!("the writer of the audit log panicked");
        }
    }
}

enum Target {
    Output,
    File(LogFile),
}

impl Target {
    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        match self {
            Self::Output => {
                let mut output = io::stdout().lock();
                output.write_all(lines)?;
                output.flush()
            }
            Self::File(file) => file.write(lines),
        }
    }
}

struct LogFile {
    path: PathBuf,
    rotation: Rotation,
    file: File,
    size: u64,
}

impl LogFile {
    fn open(path: &Path, rotation: Rotation) -> io::Result<Self> {
        // What clients send may be secret.
        let mut options = OpenOptions::new();
        options.create(true).append(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(path)?;
        let size = file.metadata()?.len();
        Ok(Self {
            path: path.to_owned(),
            rotation,
            file,
            size,
        })
    }

    fn write(&mut self, lines: &[u8]) -> io::Result<()> {
        let added = lines.len() as u64;
        let most = self.rotation.max_size.saturating_mul(1 << 20);
        if most > 0 && self.size > 0 && self.size + added > most {
            self.rotate(Timestamp::now())?;
        }
        self.file.write_all(lines)?;
        self.size += added;
        Ok(())
    }

    fn rotate(&mut self, now: Timestamp) -> io::Result<()> {
        fs::rename(&self.path, self.aside(now))?;
        *self = Self::open(&self.path, self.rotation)?;
        self.forget_old()
    }

    /// `audit-2026-11-22T12-00-00.000.log` beside `audit.log`, as upstream names it.
    fn aside(&self, now: Timestamp) -> PathBuf {
        let (stem, extension) = self.name();
        let name = format!("{stem}-{}{extension}", now.strftime("%Y-%m-%dT%H-%M-%S%.3f"));
        self.path.with_file_name(name)
    }

    fn name(&self) -> (String, String) {
        let text = |part: Option<&std::ffi::OsStr>| part.map(|part| part.to_string_lossy().into_owned());
        let extension = text(self.path.extension()).map(|extension| format!(".{extension}"));
        (
            text(self.path.file_stem()).unwrap_or_default(),
            extension.unwrap_or_default(),
        )
    }

    fn forget_old(&self) -> io::Result<()> {
        let (stem, extension) = self.name();
        let directory = self.path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let mut old: Vec<PathBuf> = fs::read_dir(directory.unwrap_or(Path::new(".")))?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .filter(|path| {
                let name = path.file_name().map(|name| name.to_string_lossy().into_owned());
                name.is_some_and(|name| name.starts_with(&format!("{stem}-")) && name.ends_with(&extension))
            })
            .collect();
        // Their names hold their times: the latest first.
        old.sort_unstable_by(|a, b| b.cmp(a));
        let longest = Duration::from_secs(self.rotation.max_age.saturating_mul(86_400));
        for (at, path) in old.iter().enumerate() {
            let age = fs::metadata(path)?
                .modified()
                .ok()
                .and_then(|then| SystemTime::now().duration_since(then).ok());
            let is_old = self.rotation.max_age > 0 && age.is_some_and(|age| age > longest);
            if is_old || (self.rotation.max_backups > 0 && at >= self.rotation.max_backups) {
                fs::remove_file(path)?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Directory(PathBuf);

    impl Directory {
        fn new() -> Self {
            let path = std::env::temp_dir().join(format!("warren-audit-{}", uuid::Uuid::new_v4()));
            fs::create_dir(&path).unwrap();
            Self(path)
        }

        fn files(&self) -> Vec<PathBuf> {
            fs::read_dir(&self.0)
                .unwrap()
                .map(|entry| entry.unwrap().path())
                .collect()
        }
    }

    impl Drop for Directory {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    #[test]
    fn files_are_set_aside_at_their_size_and_the_oldest_go() {
        let directory = Directory::new();
        let rotation = Rotation {
            max_size: 1,
            max_backups: 2,
            max_age: 1,
        };
        let mut file = LogFile::open(&directory.0.join("audit.log"), rotation).unwrap();
        fs::write(directory.0.join("other.log"), "").unwrap();
        let piece = vec![b'x'; 700 << 10];
        file.write(&piece).unwrap();
        assert_eq!(directory.files().len(), 2);
        for second in 0..4 {
            file.rotate(Timestamp::from_second(1_000 + second).unwrap())
                .unwrap();
            file.write(&piece).unwrap();
        }
        assert_eq!(directory.files().len(), 4, "{:?}", directory.files());
        assert!(directory.0.join("other.log").exists());
    }

    #[tokio::test]
    async fn lines_are_in_the_file_when_it_is_closed() {
        let directory = Directory::new();
        let path = directory.0.join("audit.log");
        let log = AuditLog::open(&path, Rotation::default()).unwrap();
        assert!(log.write(Bytes::from_static(b"{}\n")).await);
        assert!(log.write_now(Bytes::from_static(b"[]\n")));
        log.close();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{}\n[]\n");
        assert!(!log.write_now(Bytes::new()));
    }
}
