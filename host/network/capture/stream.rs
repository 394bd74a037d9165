//! A capture: what passes a pod, as the bytes of a pcapng file, as they come.

use std::collections::{BTreeMap, VecDeque};
use std::future::poll_fn;
use std::sync::{Arc, Weak};

use bytes::{Bytes, BytesMut};
use tokio::time::Instant;

use super::packet::{Packet, packets};
use super::pcapng::{self, Direction};
use super::tap::{Filter, Passage, Ring, Tap};
use crate::limits::{
    CAPTURE_BATCH_BYTES, MAX_CAPTURES_PER_POD, MAX_SNAPLEN_BYTES, MIN_SNAPLEN_BYTES,
};

/// What is captured, and what is said of it.
#[derive(Clone, Debug)]
pub struct CaptureOptions {
    /// Bytes of each packet that are kept, from its IP header on; brought into
    /// [`crate::limits::MIN_SNAPLEN_BYTES`] to [`crate::limits::MAX_SNAPLEN_BYTES`].
    pub snaplen: u32,
    /// The capture ends after so many packets.
    pub count: Option<u64>,
    /// Only what these containers send or receive; all when empty.
    pub containers: Vec<String>,
    /// Only what comes from or goes to these ports; all when empty.
    pub ports: Vec<u16>,
    /// The interfaces that the file begins with. Others follow when they first have something.
    pub interfaces: Vec<Interface>,
    /// What the file says of itself.
    pub comment: String,
    /// The wall clock's time at the call, in nanoseconds since 1970. Later times are counted from it by the monotonic
    /// clock, so that they never go back.
    pub now_ns: u64,
}

impl Default for CaptureOptions {
    /// Everything, whole.
    fn default() -> Self {
        Self {
            snaplen: MAX_SNAPLEN_BYTES,
            count: None,
            containers: Vec::new(),
            ports: Vec::new(),
            interfaces: Vec::new(),
            comment: String::new(),
            now_ns: 0,
        }
    }
}

/// An interface of a capture: a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Interface {
    /// The container's name.
    pub name: String,
    /// What it is, for people.
    pub description: String,
}

/// Why there is no capture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaptureError {
    /// The pod has as many as it can.
    #[error("the pod has {MAX_CAPTURES_PER_POD} captures already")]
    TooMany,
    /// The pod is over.
    #[error("the pod's network is closed")]
    Closed,
}

/// A capture that goes on until its pod is over, it has its packets, or it is dropped. What its reader does not fetch in
/// time is dropped and counted; a pod never waits for it.
///
/// ```
/// use bytes::Bytes;
/// use wasmpod_network::{AddressFamily, CaptureOptions, PodNetwork, PodNetworkConfig};
///
/// # tokio::runtime::Builder::new_current_thread().build()?.block_on(async {
/// let pod = PodNetwork::new(PodNetworkConfig::default());
/// let mut capture = pod.capture(CaptureOptions::default())?;
/// let head = capture.next().await.unwrap();
/// assert_eq!(head[..4], [0x0a, 0x0d, 0x0d, 0x0a]);
///
/// let container = pod.attach("a");
/// let socket = container.udp_socket(AddressFamily::Ipv4)?;
/// socket.try_send_to(&Bytes::from_static(b"hello"), Some(([127, 0, 0, 1], 53).into()))?;
/// let blocks = capture.next().await.unwrap();
/// assert!(blocks.windows(5).any(|bytes| bytes == b"hello"));
/// pod.close();
/// while capture.next().await.is_some() {}
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug)]
pub struct Capture {
    ring: Arc<Ring>,
    tap: Weak<Tap>,
    batch: VecDeque<Passage>,
    file: File,
    has_begun: bool,
    has_ended: bool,
}

/// The file so far.
#[derive(Debug)]
struct File {
    snaplen: u32,
    left: Option<u64>,
    comment: String,
    /// The interfaces in their order, with how many packets they had.
    interfaces: Vec<(Interface, u64)>,
    began: Instant,
    began_ns: u64,
    /// What was dropped when statistics were last written.
    dropped: BTreeMap<Arc<str>, u64>,
    packet: Vec<u8>,
}

impl Capture {
    pub(crate) fn begin(tap: &Arc<Tap>, options: CaptureOptions) -> Result<Self, CaptureError> {
        let filter = Filter {
            containers: options.containers,
            ports: options.ports,
        };
        let ring = tap.add(filter).ok_or(CaptureError::TooMany)?;
        Ok(Self {
            ring,
            tap: Arc::downgrade(tap),
            batch: VecDeque::new(),
            file: File {
                snaplen: options.snaplen.clamp(MIN_SNAPLEN_BYTES, MAX_SNAPLEN_BYTES),
                left: options.count,
                comment: options.comment,
                interfaces: options
                    .interfaces
                    .into_iter()
                    .map(|interface| (interface, 0))
                    .collect(),
                began: Instant::now(),
                began_ns: options.now_ns,
                dropped: BTreeMap::new(),
                packet: Vec::new(),
            },
            has_begun: false,
            has_ended: false,
        })
    }

    /// The next bytes of the file, whole blocks always; the first at once. Nothing at the end. Dropping the future loses
    /// nothing.
    pub async fn next(&mut self) -> Option<Bytes> {
        let mut out = BytesMut::new();
        if !self.has_begun {
            self.has_begun = true;
            self.file.head(&mut out);
        }
        while out.is_empty() && !self.has_ended {
            if self.batch.is_empty() && !self.file.is_full() {
                let (ring, batch) = (&self.ring, &mut self.batch);
                if poll_fn(|cx| ring.poll_take(cx, batch)).await.is_none() {
                    self.end(&mut out);
                    break;
                }
            }
            while out.len() < CAPTURE_BATCH_BYTES && !self.file.is_full() {
                let Some(passage) = self.batch.pop_front() else {
                    break;
                };
                self.file.passage(&mut out, &passage);
            }
            if self.file.is_full() {
                self.end(&mut out);
            } else if self.batch.is_empty() {
                self.file.losses(&mut out, &self.ring.dropped(), false);
            }
        }
        (!out.is_empty()).then(|| out.freeze())
    }

    fn end(&mut self, out: &mut BytesMut) {
        self.has_ended = true;
        self.stop();
        self.file.losses(out, &self.ring.dropped(), true);
    }

    /// Nothing passes here any more.
    fn stop(&self) {
        if let Some(tap) = self.tap.upgrade() {
            tap.remove(&self.ring);
        }
    }
}

impl Drop for Capture {
    fn drop(&mut self) {
        self.stop();
    }
}

impl File {
    fn is_full(&self) -> bool {
        self.left == Some(0)
    }

    fn head(&self, out: &mut BytesMut) {
        pcapng::section_header(out, &self.comment);
        for (interface, _) in &self.interfaces {
            pcapng::interface(out, &interface.name, &interface.description, self.snaplen);
        }
    }

    fn passage(&mut self, out: &mut BytesMut, passage: &Passage) {
        let time = self.time(passage.at);
        packets(passage, |packet| self.packet(out, time, &packet));
    }

    fn packet(&mut self, out: &mut BytesMut, time: u64, packet: &Packet<'_>) {
        if self.is_full() {
            return;
        }
        let (container, direction) = match (&packet.from.container, &packet.to.container) {
            (Some(sender), _) => (&**sender, Direction::Outbound),
            (None, Some(receiver)) => (&**receiver, Direction::Inbound),
            (None, None) => (crate::HOST, Direction::Outbound),
        };
        let mut bytes = std::mem::take(&mut self.packet);
        bytes.clear();
        packet.write(&mut bytes);
        if !bytes.is_empty() {
            let index = self.interface(out, container);
            if let Some((_, received)) = self.interfaces.get_mut(index) {
                *received = received.saturating_add(1);
            }
            let number = u32::try_from(index).unwrap_or(u32::MAX);
            pcapng::packet(out, number, time, direction, &bytes, self.snaplen);
            if let Some(left) = &mut self.left {
                *left = left.saturating_sub(1);
            }
        }
        self.packet = bytes;
    }

    /// The place of a container's interface, which is described if it was not.
    fn interface(&mut self, out: &mut BytesMut, container: &str) -> usize {
        let found = self
            .interfaces
            .iter()
            .position(|(interface, _)| interface.name == container);
        found.unwrap_or_else(|| {
            let interface = Interface {
                name: container.to_owned(),
                description: format!("container {container}"),
            };
            pcapng::interface(out, &interface.name, &interface.description, self.snaplen);
            self.interfaces.push((interface, 0));
            self.interfaces.len().saturating_sub(1)
        })
    }

    /// Statistics of the interfaces that have lost something since the last time, or of all.
    fn losses(&mut self, out: &mut BytesMut, dropped: &BTreeMap<Arc<str>, u64>, all: bool) {
        if !all && *dropped == self.dropped {
            return;
        }
        for container in dropped.keys() {
            self.interface(out, container);
        }
        let now = self.time(Instant::now());
        for (index, (interface, received)) in (0..).zip(&self.interfaces) {
            let of = |all: &BTreeMap<Arc<str>, u64>| {
                all.get(interface.name.as_str()).copied().unwrap_or(0)
            };
            let lost = of(dropped);
            if all || lost != of(&self.dropped) {
                let times = (self.began_ns, now);
                pcapng::statistics(out, index, times, received.saturating_add(lost), lost);
            }
        }
        self.dropped.clone_from(dropped);
    }

    fn time(&self, at: Instant) -> u64 {
        let since = at.saturating_duration_since(self.began).as_nanos();
        let since = u64::try_from(since).unwrap_or(u64::MAX);
        self.began_ns.saturating_add(since)
    }
}
