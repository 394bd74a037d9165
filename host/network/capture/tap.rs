//! Where sockets tell what passes, and the bounded queue to each who captures.
//!
//! Nobody captures most of the time: then a write or a datagram costs one relaxed load of the host's [`Switch`]. While
//! somebody does, what passes is queued by reference, without a copy, under the lock of its socket, so that the order of a
//! connection is the order of its queue. A queue that is full drops and counts: no reader slows a pod.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use tokio::time::Instant;

use super::packet::segments;
use crate::HOST;
use crate::limits::{MAX_CAPTURED_BYTES, MAX_CAPTURED_PASSAGES, MAX_CAPTURES_PER_POD};
use crate::lock::lock;

/// Whether anybody captures in any pod of this host.
#[derive(Debug, Default)]
pub(crate) struct Switch(AtomicUsize);

impl Switch {
    /// Asked for every write and datagram. Who begins to capture is seen a moment later at worst.
    #[inline]
    pub(crate) fn is_on(&self) -> bool {
        self.0.load(Ordering::Relaxed) != 0
    }
}

/// The tap of one pod.
#[derive(Debug)]
pub(crate) struct Tap {
    switch: Arc<Switch>,
    is_on: AtomicBool,
    rings: Mutex<Vec<Arc<Ring>>>,
}

/// One end of what passes, as the pod knows it.
#[derive(Clone, Debug)]
pub(crate) struct Party {
    pub(super) address: SocketAddr,
    /// The container of the pod that it is; none for everybody outside, the host included.
    pub(super) container: Option<Arc<str>>,
}

/// Something that passed from one end to the other.
#[derive(Clone, Debug)]
pub(crate) struct Passage {
    pub(super) at: Instant,
    pub(super) from: Party,
    pub(super) to: Party,
    pub(super) what: What,
}

#[derive(Clone, Debug)]
pub(super) enum What {
    Datagram(Bytes),
    Segment { segment: Segment, place: Place },
}

/// What happened on a connection.
#[derive(Clone, Debug)]
pub(crate) enum Segment {
    /// It is established; from the client.
    Open,
    /// It was refused; from the client.
    Refused,
    /// Nobody answers; from the client.
    Unanswered,
    /// Bytes were sent.
    Data(Bytes),
    /// No more will be sent.
    Finish,
    /// The sender has broken it off.
    Reset,
}

/// Where on its connection a segment is, from the sender's side. A FIN counts as one, as in sequence numbers.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Place {
    /// Names the connection, together with its addresses.
    pub(crate) opened_at: Instant,
    /// What was sent before.
    pub(crate) sent: u64,
    /// What was received before.
    pub(crate) received: u64,
}

/// An end of a connection: whose tap it shows at, where it is, and who has it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct TcpEnd<'a> {
    pub(crate) tap: &'a Arc<Tap>,
    pub(crate) address: SocketAddr,
    pub(crate) container: &'a Arc<str>,
}

/// Shows a segment to who captures at either end, once in a pod that has both. `dialed` is what the client's pod knows the
/// server as.
#[cold]
pub(crate) fn show_tcp(
    client: TcpEnd<'_>,
    server: TcpEnd<'_>,
    dialed: SocketAddr,
    is_from_client: bool,
    segment: &Segment,
    place: Place,
) {
    let is_one_pod = Arc::ptr_eq(client.tap, server.tap);
    let views = [
        Some((client.tap, dialed)),
        (!is_one_pod).then_some((server.tap, server.address)),
    ];
    for (tap, server_address) in views.into_iter().flatten() {
        if !tap.is_on() {
            continue;
        }
        let party = |end: TcpEnd<'_>, address| Party {
            address,
            container: Arc::ptr_eq(end.tap, tap)
                .then(|| own_name(end.container))
                .flatten(),
        };
        let (client, server) = (party(client, client.address), party(server, server_address));
        let (from, to) = if is_from_client {
            (client, server)
        } else {
            (server, client)
        };
        let segment = segment.clone();
        tap.push(from, to, What::Segment { segment, place });
    }
}

/// A container's own name, of `POD/CONTAINER` as other pods know it; none for the host.
fn own_name(container: &Arc<str>) -> Option<Arc<str>> {
    match container.rsplit_once('/') {
        _ if **container == *HOST => None,
        Some((_, own)) => Some(Arc::from(own)),
        None => Some(Arc::clone(container)),
    }
}

impl Party {
    /// A container of the pod.
    pub(crate) fn inside(address: SocketAddr, container: &Arc<str>) -> Self {
        let container = own_name(container);
        Self { address, container }
    }

    /// Somebody else.
    pub(crate) const fn outside(address: SocketAddr) -> Self {
        Self {
            address,
            container: None,
        }
    }
}

impl Tap {
    pub(crate) fn new(switch: Arc<Switch>) -> Self {
        Self {
            switch,
            is_on: AtomicBool::new(false),
            rings: Mutex::default(),
        }
    }

    /// The switch of the host.
    pub(crate) const fn switch(&self) -> &Arc<Switch> {
        &self.switch
    }

    /// Whether anybody captures in this pod.
    pub(crate) fn is_on(&self) -> bool {
        self.is_on.load(Ordering::Relaxed)
    }

    /// Shows a datagram.
    #[cold]
    pub(crate) fn show_datagram(&self, from: Party, to: Party, data: &Bytes) {
        if self.is_on() {
            self.push(from, to, What::Datagram(data.clone()));
        }
    }

    fn push(&self, from: Party, to: Party, what: What) {
        let rings = lock(&self.rings);
        let passage = Passage {
            at: Instant::now(),
            from,
            to,
            what,
        };
        for ring in rings.iter() {
            ring.push(&passage);
        }
    }

    /// A queue of what passes from now on; none when there are [`MAX_CAPTURES_PER_POD`] already.
    pub(super) fn add(&self, filter: Filter) -> Option<Arc<Ring>> {
        let mut rings = lock(&self.rings);
        if rings.len() >= MAX_CAPTURES_PER_POD {
            return None;
        }
        let ring = Arc::new(Ring {
            filter,
            state: Mutex::default(),
        });
        rings.push(Arc::clone(&ring));
        self.is_on.store(true, Ordering::Relaxed);
        self.switch.0.fetch_add(1, Ordering::Relaxed);
        Some(ring)
    }

    pub(super) fn remove(&self, ring: &Arc<Ring>) {
        self.retain(|other| !Arc::ptr_eq(other, ring));
    }

    /// Ends all captures: the pod is over.
    pub(crate) fn close(&self) {
        self.retain(|_| false);
    }

    fn retain(&self, keep: impl Fn(&Arc<Ring>) -> bool) {
        let mut rings = lock(&self.rings);
        rings.retain(|ring| {
            let is_kept = keep(ring);
            if !is_kept {
                self.switch.0.fetch_sub(1, Ordering::Relaxed);
                ring.close();
            }
            is_kept
        });
        self.is_on.store(!rings.is_empty(), Ordering::Relaxed);
    }
}

impl Drop for Tap {
    fn drop(&mut self) {
        self.close();
    }
}

/// What of a pod's traffic is wanted; what is empty excludes nothing.
#[derive(Clone, Debug, Default)]
pub(super) struct Filter {
    /// One of these sends or receives.
    pub(super) containers: Vec<String>,
    /// One of these is the sender's or the receiver's.
    pub(super) ports: Vec<u16>,
}

impl Filter {
    fn wants(&self, passage: &Passage) -> bool {
        let ends = [&passage.from, &passage.to];
        let is_of = |party: &Party| {
            let names = party.container.as_deref().into_iter();
            names
                .flat_map(|name| self.containers.iter().filter(move |one| *one == name))
                .next()
                .is_some()
        };
        (self.containers.is_empty() || ends.into_iter().any(is_of))
            && (self.ports.is_empty()
                || ends
                    .into_iter()
                    .any(|party| self.ports.contains(&party.address.port())))
    }
}

/// What passed and was not fetched yet.
#[derive(Debug)]
pub(super) struct Ring {
    filter: Filter,
    state: Mutex<RingState>,
}

#[derive(Debug, Default)]
struct RingState {
    passages: VecDeque<Passage>,
    /// Payload of these.
    bytes: usize,
    /// Packets for which there was no room, by the container that sent or else received them.
    dropped: BTreeMap<Arc<str>, u64>,
    closed: bool,
    reader: Option<Waker>,
}

impl Ring {
    fn push(&self, passage: &Passage) {
        if !self.filter.wants(passage) {
            return;
        }
        let mut state = lock(&self.state);
        let bytes = state.bytes.saturating_add(passage.payload().len());
        let is_full = state.passages.len() >= MAX_CAPTURED_PASSAGES
            || (bytes > MAX_CAPTURED_BYTES && !state.passages.is_empty());
        if is_full {
            let dropped = state.dropped.entry(passage.container()).or_default();
            *dropped = dropped.saturating_add(passage.packets());
            return;
        }
        state.bytes = bytes;
        state.passages.push_back(passage.clone());
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    fn close(&self) {
        let mut state = lock(&self.state);
        state.closed = true;
        let reader = state.reader.take();
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }

    /// All that waits; nothing when the pod is over. `batch` must be empty.
    pub(super) fn poll_take(
        &self,
        cx: &Context<'_>,
        batch: &mut VecDeque<Passage>,
    ) -> Poll<Option<()>> {
        let mut state = lock(&self.state);
        if !state.passages.is_empty() {
            std::mem::swap(&mut state.passages, batch);
            state.bytes = 0;
            return Poll::Ready(Some(()));
        }
        if state.closed {
            return Poll::Ready(None);
        }
        state.reader = Some(cx.waker().clone());
        Poll::Pending
    }

    /// How many packets of each container were dropped so far.
    pub(super) fn dropped(&self) -> BTreeMap<Arc<str>, u64> {
        lock(&self.state).dropped.clone()
    }
}

impl Passage {
    /// The container at whose interface it is seen: who sends it, else who receives it.
    pub(super) fn container(&self) -> Arc<str> {
        let mut names = [&self.from.container, &self.to.container].into_iter();
        let name = names.find_map(Option::as_ref);
        name.map_or_else(|| Arc::from(HOST), Arc::clone)
    }

    fn payload(&self) -> &[u8] {
        match &self.what {
            What::Datagram(data)
            | What::Segment {
                segment: Segment::Data(data),
                ..
            } => data,
            What::Segment { .. } => &[],
        }
    }

    /// How many packets it makes.
    fn packets(&self) -> u64 {
        match &self.what {
            What::Datagram(_) => 1,
            What::Segment { segment, .. } => match segment {
                Segment::Open => 3,
                Segment::Refused | Segment::Finish => 2,
                Segment::Data(data) => {
                    let segments = segments(data).count();
                    u64::try_from(segments)
                        .unwrap_or(u64::MAX)
                        .saturating_add(1)
                }
                Segment::Unanswered | Segment::Reset => 1,
            },
        }
    }
}
