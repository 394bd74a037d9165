//! Random operations on a System V set against the rules of `semop(2)` written down once more, as
//! simply as possible: values and adjustments are copied before each attempt.

use std::collections::BTreeMap;
use std::task::Poll;

use proptest::prelude::*;
use wasmpod_ipc::sysv::GetFlags;
use wasmpod_ipc::sysv::semaphore_set::{SemOp, SemaphoreSet};
use wasmpod_ipc::{ContainerIpc, Errno, IpcLimits, PodIpc};

use super::actors::Waiting;

const SEMAPHORES: u16 = 3;
const CONTAINERS: usize = 3;

#[derive(Debug, Clone)]
enum Operation {
    Try(usize, Vec<SemOp>),
    Wait(usize, Vec<SemOp>),
    GiveUp(usize),
    Set(u16, i32),
    End(usize),
}

fn ops() -> impl Strategy<Value = Vec<SemOp>> {
    let change = prop_oneof![6 => -2..3_i16, 1 => Just(32_766_i16)];
    let op = (0..SEMAPHORES, change, 0..8_u8, any::<bool>()).prop_map(
        |(number, change, no_wait, undo)| SemOp {
            number,
            change,
            no_wait: no_wait == 0,
            undo,
        },
    );
    proptest::collection::vec(op, 1..4)
}

fn operation() -> impl Strategy<Value = Operation> {
    prop_oneof![
        5 => (0..CONTAINERS, ops()).prop_map(|(who, ops)| Operation::Try(who, ops)),
        5 => (0..CONTAINERS, ops()).prop_map(|(who, ops)| Operation::Wait(who, ops)),
        2 => (0..6_usize).prop_map(Operation::GiveUp),
        1 => (0..SEMAPHORES, 0..4_i32).prop_map(|(number, value)| Operation::Set(number, value)),
        1 => (0..CONTAINERS).prop_map(Operation::End),
    ]
}

#[derive(Debug, Clone, Default)]
struct Values {
    values: [i32; SEMAPHORES as usize],
    adjustments: BTreeMap<(usize, u16), i32>,
}

impl Values {
    /// `None` when it has to wait.
    fn attempt(&mut self, who: usize, ops: &[SemOp]) -> Option<Result<(), Errno>> {
        let mut after = self.clone();
        for op in ops {
            let value = &mut after.values[usize::from(op.number)];
            let change = i32::from(op.change);
            let blocks = if change == 0 {
                *value != 0
            } else {
                *value + change < 0
            };
            if blocks {
                return op.no_wait.then_some(Err(Errno::Again));
            }
            *value += change;
            if *value > 32_767 {
                return Some(Err(Errno::Range));
            }
            if op.undo && change != 0 {
                let adjustment = after.adjustments.entry((who, op.number)).or_default();
                *adjustment -= change;
                if !(-32_768..=32_767).contains(adjustment) {
                    return Some(Err(Errno::Range));
                }
            }
        }
        *self = after;
        Some(Ok(()))
    }

    /// Takes back what was done for one who is gone, if nothing comes out of its range on the way.
    fn reverse(&mut self, who: usize, ops: &[SemOp]) -> bool {
        let mut after = self.clone();
        for op in ops.iter().rev() {
            let value = &mut after.values[usize::from(op.number)];
            *value -= i32::from(op.change);
            if !(0..=32_767).contains(value) {
                return false;
            }
            if op.undo && op.change != 0 {
                *after.adjustments.entry((who, op.number)).or_default() += i32::from(op.change);
            }
        }
        *self = after;
        true
    }
}

/// A wait in both worlds.
struct Wait {
    who: usize,
    ops: Vec<SemOp>,
    real: Waiting,
    outcome: Option<Result<(), Errno>>,
}

struct Worlds {
    pod: PodIpc,
    containers: Vec<(ContainerIpc, SemaphoreSet)>,
    values: Values,
    /// In the order in which they came.
    waits: Vec<Wait>,
}

fn attach(pod: &PodIpc) -> (ContainerIpc, SemaphoreSet) {
    let container = pod.attach("main");
    let id = container
        .sem_get(1, i32::from(SEMAPHORES), GetFlags::CREATE)
        .unwrap();
    let set = container.semaphore_set(id).unwrap();
    (container, set)
}

impl Worlds {
    fn serve(&mut self) {
        while let Some(wait) = self.waits.iter_mut().find_map(|wait| {
            if wait.outcome.is_none() {
                wait.outcome = self.values.attempt(wait.who, &wait.ops);
                wait.outcome.is_some().then_some(())
            } else {
                None
            }
        }) {
            let () = wait;
        }
    }

    fn run(&mut self, operation: &Operation) -> Result<(), TestCaseError> {
        match operation {
            Operation::Try(who, ops) => {
                let expected = self.values.attempt(*who, ops);
                self.serve();
                let real = self.containers[*who].1.try_operate(ops);
                prop_assert_eq!(real, expected.unwrap_or(Err(Errno::Again)));
            }
            Operation::Wait(who, ops) => {
                let expected = self.values.attempt(*who, ops);
                self.serve();
                match Waiting::begin(self.containers[*who].1.operate(ops)) {
                    Err(result) => prop_assert_eq!(Some(result), expected),
                    Ok(real) => {
                        prop_assert_eq!(expected, None);
                        self.waits.push(Wait {
                            who: *who,
                            ops: ops.clone(),
                            real,
                            outcome: None,
                        });
                    }
                }
            }
            Operation::GiveUp(which) => {
                if *which < self.waits.len() {
                    let Wait {
                        who,
                        ops,
                        real,
                        outcome,
                    } = self.waits.remove(*which);
                    drop(real);
                    if outcome == Some(Ok(())) && self.values.reverse(who, &ops) {
                        self.serve();
                    }
                }
            }
            Operation::Set(number, value) => {
                self.values.values[usize::from(*number)] = *value;
                for ((_, other), adjustment) in &mut self.values.adjustments {
                    if other == number {
                        *adjustment = 0;
                    }
                }
                self.serve();
                let set = &self.containers[0].1;
                prop_assert_eq!(set.set_value(u32::from(*number), *value), Ok(()));
            }
            Operation::End(who) => {
                // Those of its waits that were served are over; the others are given up with it.
                self.waits.retain_mut(|wait| {
                    let ends = wait.who == *who;
                    if ends && wait.outcome.is_some() {
                        assert!(wait.real.poll().is_ready());
                    }
                    !ends
                });
                for number in 0..SEMAPHORES {
                    let adjustment = self.values.adjustments.remove(&(*who, number));
                    let value = &mut self.values.values[usize::from(number)];
                    *value = (*value + adjustment.unwrap_or(0)).clamp(0, 32_767);
                }
                self.serve();
                let next = attach(&self.pod);
                self.containers[*who] = next;
            }
        }
        self.compare()
    }

    fn compare(&self) -> Result<(), TestCaseError> {
        let set = &self.containers[0].1;
        let values: Vec<_> = set.values().unwrap().into_iter().map(i32::from).collect();
        prop_assert_eq!(values, self.values.values.to_vec());
        for wait in &self.waits {
            // Served means woken, and nobody is woken for nothing. (An end lets everybody look.)
            prop_assert!(wait.outcome.is_none() || wait.real.wakes() > 0);
        }
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_set_does_what_the_manual_says(operations in proptest::collection::vec(operation(), 1..60)) {
        let pod = PodIpc::new(IpcLimits::default());
        let containers = (0..CONTAINERS).map(|_| attach(&pod)).collect();
        let mut worlds = Worlds { pod, containers, values: Values::default(), waits: Vec::new() };
        for operation in &operations {
            worlds.run(operation)?;
        }
        for mut wait in worlds.waits {
            let expected = wait.outcome.map_or(Poll::Pending, Poll::Ready);
            prop_assert_eq!(wait.real.poll(), expected);
        }
    }
}
