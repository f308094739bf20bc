//! Metrics in Prometheus' text form: the node's own and those of the tenant's pods, line by line as they come.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http_body::{Body as HttpBody, Frame};
use warren_apiserver::body::BodyError;

use super::pods::{HostPods, Pod};

/// A longer line is no line of a kubelet's; it is left out.
const LINE: usize = 64 * 1024;

/// Decides about lines.
pub(super) struct Lines(HostPods);

impl Lines {
    pub(super) fn new(pods: HostPods) -> Self {
        Self(pods)
    }

    fn line(&mut self, line: &str) -> Option<String> {
        rewritten(line, |namespace, name| self.0.find(namespace, name).cloned())
    }
}

/// A line as the tenant reads it; `None` for what is of others. Comments, and what names no pod and no part of the node,
/// stay.
fn rewritten(line: &str, find: impl FnOnce(&str, &str) -> Option<Pod>) -> Option<String> {
    let Some((name, labels, rest)) = split(line).filter(|_| !line.starts_with('#')) else {
        return Some(line.to_owned());
    };
    let value = |wanted: &str| {
        let found = labels.iter().find(|(name, _)| *name == wanted);
        found.map_or("", |(_, value)| *value)
    };
    if value("pod").is_empty() {
        // Of control groups, the root is the node; all others are somebody's.
        return matches!(value("id"), "" | "/").then(|| line.to_owned());
    }
    let pod = find(value("namespace"), value("pod"))?;
    let labels = labels.iter().map(|(name, value)| {
        let value = match *name {
            "pod" => pod.key.name.to_string(),
            "namespace" => pod.key.namespace.to_string(),
            _ if pod.host_uid.is_empty() => (*value).to_owned(),
            _ => value
                .replace(pod.host_uid.as_str(), &pod.uid)
                .replace(&pod.host_uid.replace('-', "_"), &pod.uid.replace('-', "_")),
        };
        format!("{name}=\"{value}\"")
    });
    let labels = labels.collect::<Vec<_>>().join(",");
    Some(format!("{name}{{{labels}}}{rest}"))
}

/// Names and escaped values.
type Labels<'a> = Vec<(&'a str, &'a str)>;

/// The name, the labels with their values still escaped, and what follows; `None` for a line without labels.
fn split(line: &str) -> Option<(&str, Labels<'_>, &str)> {
    let (name, mut rest) = line.split_once('{')?;
    let mut labels = Vec::new();
    loop {
        rest = rest.trim_start_matches([',', ' ']);
        if let Some(rest) = rest.strip_prefix('}') {
            return Some((name, labels, rest));
        }
        let (label, quoted) = rest.split_once("=\"")?;
        let mut escaped = false;
        let end = quoted.find(|c| {
            let is_end = c == '"' && !escaped;
            escaped = c == '\\' && !escaped;
            is_end
        })?;
        let (value, behind) = quoted.split_at(end);
        labels.push((label, value));
        rest = behind.strip_prefix('"')?;
    }
}

/// A body of lines, each of which is decided about.
pub(super) struct Filtered<B> {
    body: B,
    lines: Lines,
    /// A line that has not ended yet, at most `LINE` of it.
    begun: BytesMut,
    is_over: bool,
}

impl<B> Filtered<B> {
    pub(super) fn new(body: B, lines: Lines) -> Self {
        Self {
            body,
            lines,
            begun: BytesMut::new(),
            is_over: false,
        }
    }

    fn take(&mut self, more: &[u8]) -> Bytes {
        let mut out = BytesMut::new();
        for piece in more.split_inclusive(|byte| *byte == b'\n') {
            if self.begun.len() <= LINE {
                self.begun.extend_from_slice(piece);
            }
            if !piece.ends_with(b"\n") {
                break;
            }
            let line = std::mem::take(&mut self.begun);
            let text = String::from_utf8_lossy(&line);
            if line.len() > LINE {
                continue;
            }
            if let Some(line) = self.lines.line(text.trim_end_matches(['\n', '\r'])) {
                out.extend_from_slice(line.as_bytes());
                out.extend_from_slice(b"\n");
            }
        }
        out.freeze()
    }
}

impl<B> HttpBody for Filtered<B>
where
    B: HttpBody<Data = Bytes> + Unpin,
    B::Error: Into<BodyError>,
{
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let this = &mut *self;
        while !this.is_over {
            let more = match std::task::ready!(Pin::new(&mut this.body).poll_frame(cx)) {
                Some(Err(error)) => return Poll::Ready(Some(Err(error.into()))),
                Some(Ok(frame)) => frame.into_data().unwrap_or_default(),
                None => {
                    this.is_over = true;
                    Bytes::from_static(b"\n")
                }
            };
            // The last line may lack its end; where it does not, there is nothing to end.
            if this.is_over && this.begun.is_empty() {
                break;
            }
            let bytes = this.take(&more);
            if !bytes.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(bytes))));
            }
        }
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use warren_apimachinery::ObjectKey;

    use super::*;

    fn check(line: &str, expect: Option<&str>) {
        let got = rewritten(line, |namespace, name| {
            (namespace == "team-a" && name == "web-x-shop-x-demo").then(|| Pod {
                key: ObjectKey::namespaced("shop", "web"),
                uid: "v-1".into(),
                host_uid: "h-1".into(),
            })
        });
        assert_eq!(got.as_deref(), expect);
    }

    #[test]
    fn lines_of_ones_own_pods_carry_virtual_names() {
        check(
            "cpu{container=\"a\",id=\"/kubepods/podh-1/c\",namespace=\"team-a\",pod=\"web-x-shop-x-demo\",x=\"a\\\"}b\"} 4.5 1700",
            Some(
                "cpu{container=\"a\",id=\"/kubepods/podv-1/c\",namespace=\"shop\",pod=\"web\",x=\"a\\\"}b\"} 4.5 1700",
            ),
        );
        check(
            "cpu{id=\"/kubepods.slice/podh_1.slice\",pod=\"web-x-shop-x-demo\",namespace=\"team-a\"} 1",
            Some("cpu{id=\"/kubepods.slice/podv_1.slice\",pod=\"web\",namespace=\"shop\"} 1"),
        );
    }

    #[test]
    fn lines_of_others_are_left_out() {
        check("cpu{namespace=\"team-b\",pod=\"web\"} 1", None);
        check("cpu{namespace=\"team-a\",pod=\"other\"} 1", None);
        check(
            "cpu{id=\"/system.slice/secret.service\",namespace=\"\",pod=\"\"} 1",
            None,
        );
    }

    #[test]
    fn what_is_of_the_node_stays() {
        for line in [
            "# HELP cpu of pod=\"x\" {a}",
            "node_cpu_usage_seconds_total 5000 1700",
            "memory{container=\"\",id=\"/\",namespace=\"\",pod=\"\"} 3e+09",
            "scrape_error 0",
        ] {
            check(line, Some(line));
        }
    }
}
