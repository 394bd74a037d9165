//! Semaphores whose numbers guests map: what guests do there and what calls do are one semaphore, and whatever a guest
//! writes there, calls have an answer.

use std::sync::Arc;
use std::task::Poll;

use proptest::prelude::*;
use wasmpod_ipc::{
    AtomicOp, Errno, HeapProvider, Host, IpcLimits, OpenFlags, PodIpc, Segment, SegmentMemory,
    SegmentProvider, Semaphore,
};

use super::actors::Waiting;

/// The bit that says that somebody waits.
const LINE: u32 = 1 << 31;

/// Plain memory that says of itself that guests can map it.
struct Mappable;

impl SegmentProvider for Mappable {
    fn make(&self) -> Result<Box<dyn SegmentMemory>, Errno> {
        HeapProvider.make()
    }

    fn is_mappable(&self) -> bool {
        true
    }
}

pub(super) fn pod() -> PodIpc {
    let host = Host {
        memory: Arc::new(Mappable),
        ..Host::default()
    };
    PodIpc::with_host(IpcLimits::default(), host)
}

/// The number as a guest has it.
struct Number(Arc<Segment>, u64);

impl Number {
    fn of(semaphore: &Semaphore) -> Self {
        let (page, offset) = semaphore.place().unwrap();
        Self(Arc::clone(page), offset)
    }

    fn get(&self) -> u32 {
        self.0.update_u32(self.1, AtomicOp::Load).unwrap()
    }

    fn set(&self, value: u32) {
        self.0.update_u32(self.1, AtomicOp::Store(value)).unwrap();
    }
}

#[test]
fn what_is_posted_and_taken_in_the_page_is_what_calls_see() {
    let container = pod().attach("main");
    let semaphore = container.sem_open("/s", OpenFlags::CREATE, 3).unwrap();
    let number = Number::of(&semaphore);
    assert_eq!(number.get(), 3);
    semaphore.post().unwrap();
    assert_eq!(number.get(), 4);
    number.set(1);
    assert_eq!((semaphore.value(), semaphore.try_wait()), (1, Ok(())));
    assert_eq!(semaphore.try_wait(), Err(Errno::Again));
    assert_eq!(number.get(), 0);
}

#[test]
fn the_page_says_that_somebody_waits_and_a_call_gives_the_unit_to_who_does() {
    let container = pod().attach("main");
    let semaphore = container.sem_open("/s", OpenFlags::CREATE, 0).unwrap();
    let number = Number::of(&semaphore);
    let mut waiting = Waiting::begin(semaphore.wait()).unwrap();
    assert_eq!(number.get(), LINE);
    semaphore.post().unwrap();
    assert_eq!(number.get() & !LINE, 0, "the unit is nobody else's");
    assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
    assert_eq!(number.get(), 0, "nobody waits any more");
}

#[test]
fn each_semaphore_has_a_number_of_its_own_and_leaves_it_to_the_next() {
    let pod = pod();
    let container = pod.attach("main");
    let open = |name: &str| container.sem_open(name, OpenFlags::CREATE, 7).unwrap();
    let (a, b) = (open("/a"), open("/b"));
    let again = container.sem_open("/a", OpenFlags::READ, 0).unwrap();
    let offset = |semaphore: &Semaphore| semaphore.place().unwrap().1;
    assert_eq!(offset(&a), offset(&again));
    assert_ne!(offset(&a), offset(&b));
    let of_b = offset(&b);
    Number::of(&b).set(LINE | 5);
    drop(b);
    container.sem_unlink("/b").unwrap();
    let c = open("/c");
    assert_eq!(offset(&c), of_b);
    assert_eq!(c.value(), 7, "what was there before is gone");
}

#[test]
fn semaphores_that_do_not_fit_into_the_page_work_by_calls() {
    let limits = IpcLimits {
        max_semaphores: 17_000,
        max_open_handles: 17_000,
        ..IpcLimits::default()
    };
    let host = Host {
        memory: Arc::new(Mappable),
        ..Host::default()
    };
    let container = PodIpc::with_host(limits, host).attach("main");
    let semaphores: Vec<_> = (0..16_385)
        .map(|number| {
            let name = format!("/{number}");
            container.sem_open(&name, OpenFlags::CREATE, 1).unwrap()
        })
        .collect();
    let (last, others) = semaphores.split_last().unwrap();
    assert!(others.iter().all(|one| one.place().is_some()));
    assert!(last.place().is_none());
    assert_eq!((last.try_wait(), last.value()), (Ok(()), 0));
}

#[test]
fn memory_that_guests_cannot_map_has_no_numbers() {
    let container = PodIpc::new(IpcLimits::default()).attach("main");
    let semaphore = container.sem_open("/s", OpenFlags::CREATE, 0).unwrap();
    assert!(semaphore.place().is_none());
}

#[derive(Debug, Clone)]
enum Step {
    Scribble(u32),
    Post,
    TryWait,
    Wait,
    Look,
    Poll(usize),
    GiveUp(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let bad = [0, 1, 2, LINE, LINE + 1, LINE - 1, LINE - 2, u32::MAX];
    prop_oneof![
        3 => prop::sample::select(bad.to_vec()).prop_map(Step::Scribble),
        1 => any::<u32>().prop_map(Step::Scribble),
        3 => Just(Step::Post),
        2 => Just(Step::TryWait),
        3 => Just(Step::Wait),
        1 => Just(Step::Look),
        3 => (0..6_usize).prop_map(Step::Poll),
        1 => (0..6_usize).prop_map(Step::GiveUp),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn whatever_is_written_there_calls_have_an_answer_and_the_end_wakes_all(
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let pod = pod();
        let (container, witness) = (pod.attach("main"), pod.attach("witness"));
        let semaphore = container.sem_open("/s", OpenFlags::CREATE, 0).unwrap();
        let other = witness.sem_open("/other", OpenFlags::CREATE, 2).unwrap();
        let number = Number::of(&semaphore);
        let mut waiting = Vec::new();
        for step in steps {
            match step {
                Step::Scribble(value) => number.set(value),
                Step::Post => prop_assert!(matches!(semaphore.post(), Ok(()) | Err(Errno::Overflow))),
                Step::TryWait => {
                    prop_assert!(matches!(semaphore.try_wait(), Ok(()) | Err(Errno::Again)));
                }
                Step::Wait => waiting.extend(Waiting::begin(semaphore.wait()).ok()),
                Step::Look => waiting.extend(Waiting::begin(semaphore.ready()).ok()),
                Step::Poll(which) => {
                    if let Some(Poll::Ready(result)) = waiting.get_mut(which).map(Waiting::poll) {
                        prop_assert_eq!(result, Ok(()));
                        drop(waiting.swap_remove(which));
                    }
                }
                Step::GiveUp(which) if which < waiting.len() => drop(waiting.swap_remove(which)),
                Step::GiveUp(_) => {}
            }
            prop_assert!(semaphore.value() < LINE);
        }
        drop(container);
        for mut one in waiting {
            prop_assert!(one.is_woken());
            prop_assert!(one.poll().is_ready());
        }
        prop_assert_eq!(other.value(), 2);
    }
}
