//! Random posts, waits, and ends against the simplest semaphore: a number, and a line of names.

use std::collections::VecDeque;
use std::task::Poll;

use proptest::prelude::*;
use wasmpod_ipc::{Errno, IpcLimits, OpenFlags, PodIpc, Semaphore};

use super::actors::Waiting;
use super::mapped_semaphores;

#[derive(Debug, Clone)]
enum Operation {
    Post,
    TryWait,
    Wait,
    Look,
    /// One of those who wait is polled, woken or not.
    Poll(usize),
    /// One of those who wait gives up.
    GiveUp(usize),
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        4 => Just(Operation::Post),
        1 => Just(Operation::TryWait),
        4 => Just(Operation::Wait),
        1 => Just(Operation::Look),
        4 => (0..8_usize).prop_map(Operation::Poll),
        2 => (0..8_usize).prop_map(Operation::GiveUp),
    ]
}

#[derive(Default)]
struct Model {
    value: u32,
    line: VecDeque<usize>,
    given: Vec<usize>,
}

impl Model {
    fn post(&mut self) {
        match self.line.pop_front() {
            Some(first) => self.given.push(first),
            None => self.value += 1,
        }
    }
}

struct Worlds {
    semaphore: Semaphore,
    model: Model,
    waiting: Vec<(usize, Waiting)>,
    lookers: Vec<Waiting>,
    next: usize,
}

impl Worlds {
    fn run(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Post => {
                self.model.post();
                prop_assert_eq!(self.semaphore.post(), Ok(()));
            }
            Operation::TryWait => {
                let expected = self.model.value.checked_sub(1);
                let taken = self.semaphore.try_wait();
                prop_assert_eq!(taken, expected.map(|_| ()).ok_or(Errno::Again));
                self.model.value = expected.unwrap_or(0);
            }
            Operation::Wait => match Waiting::begin(self.semaphore.wait()) {
                Ok(waiting) => {
                    prop_assert_eq!(self.model.value, 0);
                    self.model.line.push_back(self.next);
                    self.waiting.push((self.next, waiting));
                    self.next += 1;
                }
                Err(result) => {
                    prop_assert_eq!(result, Ok(()));
                    prop_assert!(self.model.value > 0);
                    self.model.value -= 1;
                }
            },
            Operation::Look => match Waiting::begin(self.semaphore.ready()) {
                Ok(looker) => {
                    prop_assert_eq!(self.model.value, 0);
                    self.lookers.push(looker);
                }
                Err(_) => prop_assert!(self.model.value > 0),
            },
            Operation::Poll(which) => {
                let Some((name, waiting)) = self.waiting.get_mut(*which) else {
                    return Ok(());
                };
                let given = self.model.given.iter().position(|given| given == name);
                prop_assert_eq!(waiting.is_woken(), given.is_some());
                match given {
                    Some(given) => {
                        prop_assert_eq!(waiting.poll(), Poll::Ready(Ok(())));
                        self.model.given.remove(given);
                        self.waiting.remove(*which);
                    }
                    None => prop_assert_eq!(waiting.poll(), Poll::Pending),
                }
            }
            Operation::GiveUp(which) => {
                if *which < self.waiting.len() {
                    let (name, waiting) = self.waiting.remove(*which);
                    drop(waiting);
                    self.model.line.retain(|other| *other != name);
                    if self.model.given.contains(&name) {
                        self.model.given.retain(|other| *other != name);
                        self.model.post();
                    }
                }
            }
        }
        prop_assert_eq!(self.semaphore.value(), self.model.value);
        // Who looks is woken when a unit is free, at the latest; and is in nobody's way.
        if self.model.value > 0 {
            prop_assert!(self.lookers.iter().all(Waiting::is_woken));
            self.lookers.clear();
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn units_are_neither_lost_nor_made_and_the_line_is_kept(
        operations in proptest::collection::vec(operation(), 1..100),
        in_page: bool,
    ) {
        // Once with numbers of their own, and once with numbers in a page that guests could map.
        let pod = if in_page { mapped_semaphores::pod() } else { PodIpc::new(IpcLimits::default()) };
        let container = pod.attach("main");
        let mut worlds = Worlds {
            semaphore: container.sem_open("/s", OpenFlags::CREATE, 0).unwrap(),
            model: Model::default(),
            waiting: Vec::new(),
            lookers: Vec::new(),
            next: 0,
        };
        for operation in &operations {
            worlds.run(operation)?;
        }
        let given = worlds.model.given.len() as u32;
        worlds.waiting.clear();
        prop_assert_eq!(worlds.semaphore.value(), worlds.model.value + given);
    }
}
