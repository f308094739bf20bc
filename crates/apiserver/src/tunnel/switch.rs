//! Switching protocols: the client's raw stream, and who owns the work on it.

use http::Request;
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use warren_apimachinery::Status;

use super::Connect;
use crate::body::Body;
use crate::route::{After, Stop};

/// A connection on which HTTP is over.
pub type RawStream = TokioIo<Upgraded>;

impl Connect {
    /// Whether the client asks to switch protocols, as upstream reads it.
    pub fn wants_upgrade(&self) -> bool {
        let mut values = self.request.headers().get_all(http::header::CONNECTION).iter();
        values.any(|value| {
            let text = value.to_str().unwrap_or_default();
            text.to_ascii_lowercase().contains("upgrade")
        })
    }

    /// Leaves `work` to the client's connection, which runs it once the answer with status 101 is out, and ends it when
    /// the listener stops. Called once, before that answer is given.
    ///
    /// # Errors
    /// What upstream answers where there is nothing to switch, as over HTTP/2.
    pub fn switch<W>(&mut self, work: impl FnOnce(RawStream) -> W + Send + 'static) -> Result<(), Status>
    where
        W: Future<Output = ()> + Send,
    {
        switch(&mut self.request, work)
    }
}

/// The same for a request that is no `Connect`.
pub(crate) fn switch<W>(
    request: &mut Request<Body>,
    work: impl FnOnce(RawStream) -> W + Send + 'static,
) -> Result<(), Status>
where
    W: Future<Output = ()> + Send,
{
    let extensions = request.extensions_mut();
    let (Some(upgrade), Some(after)) = (
        extensions.remove::<OnUpgrade>(),
        extensions.get::<After>().cloned(),
    ) else {
        return Err(Status::bad_request("Upgrade request required"));
    };
    let stop = extensions.get::<Stop>().cloned();
    after.run(async move {
        let Ok(upgraded) = upgrade.await else { return };
        let work = work(TokioIo::new(upgraded));
        let Some(mut stop) = stop else {
            return work.await;
        };
        tokio::select! {
            () = work => {}
            () = stop.stopped() => {}
        }
    });
    Ok(())
}
