//! Random programs at queues of both kinds, run by a scripted executor: whoever is woken is polled, in
//! a random order, others come, rob, give up and die. When nobody has anything to do any more, nobody
//! may wait for what is there; and no program is polled more often than there were events.

use std::task::Poll;

use proptest::prelude::*;
use wasmpod_ipc::sysv::message_queue::MessageQueue;
use wasmpod_ipc::sysv::{GetFlags, IPC_PRIVATE, Select};
use wasmpod_ipc::{ContainerIpc, Errno, IpcLimits, PodIpc, Queue, Wait};

use super::actors::Waiting;
use super::{CREATE, EXISTING, size};

/// What a program does once, waiting as long as it takes.
#[derive(Debug, Clone, Copy)]
enum Errand {
    Receive(i64, bool),
    Send(i64, usize),
}

#[derive(Debug, Clone)]
enum Step {
    /// A program begins its errand, and waits if it must.
    Begin(Errand),
    /// Somebody tries once, and does not wait.
    Rob(Errand),
    /// The executor polls one that was woken.
    Run(usize),
    /// One that waits gives up.
    GiveUp(usize),
    /// The container of one that waits dies, with all that wait there.
    Die(usize),
}

fn step() -> impl Strategy<Value = Step> {
    let errand = prop_oneof![
        (-3..4_i64, any::<bool>()).prop_map(|(kind, except)| Errand::Receive(kind, except)),
        (1..4_i64, 0..5_usize).prop_map(|(kind, bytes)| Errand::Send(kind, bytes)),
    ];
    prop_oneof![
        8 => errand.clone().prop_map(Step::Begin),
        2 => errand.prop_map(Step::Rob),
        8 => (0..16_usize).prop_map(Step::Run),
        2 => (0..16_usize).prop_map(Step::GiveUp),
        1 => (0..16_usize).prop_map(Step::Die),
    ]
}

/// One of the two kinds of queue.
trait Place: Sized {
    fn open(container: &ContainerIpc) -> Self;
    fn attempt(&self, errand: Errand) -> Result<(), Errno>;
    fn wait(&self, errand: Errand) -> Wait;
    /// Whether an attempt would succeed, without making it.
    fn can(&self, errand: Errand) -> bool;
}

impl Place for Queue {
    fn open(container: &ContainerIpc) -> Self {
        container.mq_open("/q", EXISTING, None).unwrap()
    }

    fn attempt(&self, errand: Errand) -> Result<(), Errno> {
        match errand {
            Errand::Receive(..) => self.try_receive_into(|_, _| ()),
            Errand::Send(priority, bytes) => self.try_send(&[0; 8][..bytes], priority as u32),
        }
    }

    fn wait(&self, errand: Errand) -> Wait {
        match errand {
            Errand::Receive(..) => self.wait_receive(),
            Errand::Send(..) => self.wait_send(),
        }
    }

    fn can(&self, errand: Errand) -> bool {
        match errand {
            Errand::Receive(..) => self.current_messages() > 0,
            Errand::Send(..) => self.current_messages() < self.attributes().max_messages,
        }
    }
}

impl Place for MessageQueue {
    fn open(container: &ContainerIpc) -> Self {
        let id = container.msg_get(1, GetFlags::CREATE).unwrap();
        container.msg_queue(id).unwrap()
    }

    fn attempt(&self, errand: Errand) -> Result<(), Errno> {
        match errand {
            Errand::Receive(kind, except) => {
                let select = Select::new(kind, except);
                self.try_receive(select, 8, false, |_, _| ())
            }
            Errand::Send(kind, bytes) => self.try_send(kind, &[0; 8][..bytes]),
        }
    }

    fn wait(&self, errand: Errand) -> Wait {
        match errand {
            Errand::Receive(kind, except) => self.wait_receive(Select::new(kind, except)),
            Errand::Send(_, bytes) => self.wait_send(bytes),
        }
    }

    fn can(&self, errand: Errand) -> bool {
        let stat = self.stat().unwrap();
        match errand {
            Errand::Receive(wanted, except) => (0..stat.messages as usize).any(|number| {
                let kind = self.copy(number, 8, false, |_, kind| kind).unwrap();
                match wanted {
                    0 => true,
                    1.. => (kind == wanted) != except,
                    _ => kind <= -wanted,
                }
            }),
            Errand::Send(_, bytes) => {
                stat.bytes as usize + bytes <= stat.max_bytes as usize
                    && stat.messages < stat.max_bytes
            }
        }
    }
}

const CONTAINERS: usize = 3;

struct Program<P> {
    container: usize,
    place: P,
    errand: Errand,
    waiting: Waiting,
}

struct World<P> {
    pod: PodIpc,
    containers: Vec<ContainerIpc>,
    programs: Vec<Program<P>>,
    begun: usize,
    polls: usize,
    events: usize,
}

impl<P: Place> World<P> {
    fn new(pod: PodIpc) -> Self {
        let containers = (0..CONTAINERS).map(|_| pod.attach("main")).collect();
        Self {
            pod,
            containers,
            programs: Vec::new(),
            begun: 0,
            polls: 0,
            events: 0,
        }
    }

    /// Tries, and waits if it must.
    fn proceed(&mut self, container: usize, place: P, errand: Errand) {
        loop {
            match place.attempt(errand) {
                Err(Errno::Again | Errno::NoMessage) => {}
                done => {
                    assert_eq!(done, Ok(()));
                    self.events += 1;
                    return;
                }
            }
            if let Ok(waiting) = Waiting::begin(place.wait(errand)) {
                self.programs.push(Program {
                    container,
                    place,
                    errand,
                    waiting,
                });
                return;
            }
        }
    }

    fn run(&mut self, which: usize) {
        self.polls += 1;
        match self.programs[which].waiting.poll() {
            Poll::Pending => {}
            Poll::Ready(result) => {
                assert_eq!(result, Ok(()));
                let program = self.programs.remove(which);
                drop(program.waiting);
                self.proceed(program.container, program.place, program.errand);
            }
        }
    }

    fn woken(&self) -> Vec<usize> {
        (0..self.programs.len())
            .filter(|which| self.programs[*which].waiting.is_woken())
            .collect()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Begin(errand) => {
                let container = self.begun % CONTAINERS;
                self.begun += 1;
                let place = P::open(&self.containers[container]);
                self.proceed(container, place, *errand);
            }
            Step::Rob(errand) => {
                let place = P::open(&self.containers[0]);
                self.events += usize::from(place.attempt(*errand).is_ok());
            }
            Step::Run(which) => {
                let woken = self.woken();
                if !woken.is_empty() {
                    self.run(woken[which % woken.len()]);
                }
            }
            Step::GiveUp(which) => {
                if *which < self.programs.len() {
                    self.programs.remove(*which);
                    self.events += 1;
                }
            }
            Step::Die(which) => {
                if *which < self.programs.len() {
                    // All look when an instance ends.
                    self.events += 1 + self.programs.len();
                    let container = self.programs[*which].container;
                    self.containers[container] = self.pod.attach("main");
                    self.programs
                        .retain(|program| program.container != container);
                }
            }
        }
    }

    /// While nobody has anything to do, nobody may wait for what is there.
    fn check(&self) -> Result<(), TestCaseError> {
        if self.woken().is_empty() {
            for Program { place, errand, .. } in &self.programs {
                prop_assert!(!place.can(*errand), "{errand:?} waits in vain");
            }
        }
        Ok(())
    }

    /// Runs until nobody has anything to do.
    fn finish(&mut self) -> Result<(), TestCaseError> {
        for _ in 0..10_000 {
            match self.woken().first() {
                Some(first) => self.run(*first),
                None => break,
            }
        }
        prop_assert!(self.woken().is_empty(), "they wake each other for ever");
        self.check()?;
        // Each event gives at most a turn to a receiver and one to a sender; a turn that comes to
        // nothing is one more poll.
        prop_assert!(self.polls <= 2 * self.events + 2 * self.begun, "a herd");
        Ok(())
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn nobody_waits_in_vain_at_a_posix_queue(steps in proptest::collection::vec(step(), 1..80)) {
        let pod = PodIpc::new(IpcLimits::default());
        let maker = pod.attach("maker");
        let _queue = maker.mq_open("/q", CREATE, size(3, 8)).unwrap();
        let mut world = World::<Queue>::new(pod);
        for step in &steps {
            world.step(step);
            world.check()?;
        }
        world.finish()?;
    }

    #[test]
    fn nobody_waits_in_vain_at_a_system_v_queue(steps in proptest::collection::vec(step(), 1..80)) {
        let mut limits = IpcLimits::default();
        limits.set_sysctl("kernel.msgmnb", "7").unwrap();
        let mut world = World::<MessageQueue>::new(PodIpc::new(limits));
        for step in &steps {
            world.step(step);
            world.check()?;
        }
        world.finish()?;
    }

    /// Every message comes out once, in the order that its type and its age give it.
    #[test]
    fn a_system_v_queue_is_a_list_of_messages(
        errands in proptest::collection::vec(
            prop_oneof![
                (1..5_i64, 0..9_usize).prop_map(|(kind, bytes)| (true, kind, bytes, false)),
                (-5..5_i64, 0..9_usize, any::<bool>()).prop_map(|(kind, max, flag)| (false, kind, max, flag)),
            ],
            1..100,
        ),
        no_error in any::<bool>(),
    ) {
        let mut limits = IpcLimits::default();
        limits.set_sysctl("kernel.msgmnb", "20").unwrap();
        let container = PodIpc::new(limits).attach("main");
        let id = container.msg_get(IPC_PRIVATE, GetFlags::CREATE).unwrap();
        let queue = container.msg_queue(id).unwrap();
        let mut model: Vec<(i64, Vec<u8>)> = Vec::new();
        for (number, (sends, kind, bytes, flag)) in (0_u8..).zip(errands) {
            if sends {
                let data = vec![number; bytes];
                let held: usize = model.iter().map(|(_, data)| data.len()).sum();
                let fits = held + bytes <= 20 && model.len() < 20;
                prop_assert_eq!(queue.try_send(kind, &data), if fits { Ok(()) } else { Err(Errno::Again) });
                if fits {
                    model.push((kind, data));
                }
                continue;
            }
            let wanted = match kind {
                0 => (!model.is_empty()).then_some(0),
                1.. if flag => model.iter().position(|(other, _)| *other != kind),
                1.. => model.iter().position(|(other, _)| *other == kind),
                _ => {
                    let least = model.iter().map(|(other, _)| *other).min().filter(|least| *least <= -kind);
                    least.and_then(|least| model.iter().position(|(other, _)| *other == least))
                }
            };
            let expected = match wanted {
                None => Err(Errno::NoMessage),
                Some(place) if model[place].1.len() > bytes && !no_error => Err(Errno::TooBig),
                Some(place) => {
                    let (kind, mut data) = model.remove(place);
                    data.truncate(bytes);
                    Ok((data, kind))
                }
            };
            let received = queue.try_receive(Select::new(kind, flag), bytes, no_error, |data, kind| (data.to_vec(), kind));
            prop_assert_eq!(received, expected);
            let stat = queue.stat().unwrap();
            let held: usize = model.iter().map(|(_, data)| data.len()).sum();
            prop_assert_eq!((stat.messages as usize, stat.bytes as usize), (model.len(), held));
        }
    }
}
