//! The library on the kernel's own signals. One test, because signals belong to the whole process.

use std::time::{Duration, Instant};

use wasmpod_lifecycle::signals::{self, Action};
use wasmpod_lifecycle::termination::{self, Left};
use wasmpod_lifecycle::{Error, Signal};

#[test]
fn what_is_handled_is_told_what_is_ignored_is_not_and_termination_is_what_would_have_ended_it() {
    let own = signals::process_id();
    assert_eq!(signals::find(own), Ok(()));
    assert_eq!(
        signals::set_action(Signal::KILL, Action::Handle),
        Err(Error::Invalid)
    );
    for signal in [Signal::HUP, Signal::USR1] {
        signals::set_action(signal, Action::Handle).unwrap();
    }
    signals::set_action(Signal::USR2, Action::Ignore).unwrap();
    for signal in [Signal::USR1, Signal::USR2, Signal::HUP, Signal::USR1] {
        signals::kill(own, signal).unwrap();
    }
    assert_eq!(signals::wait(None), Some(Signal::HUP));
    assert_eq!(signals::take(), Some(Signal::USR1));
    let before = Instant::now();
    assert_eq!(signals::wait(Some(Duration::from_millis(20))), None);
    assert!(before.elapsed() >= Duration::from_millis(20));

    assert_eq!(termination::requested(), None);
    let other = std::thread::spawn(move || signals::kill(own, Signal::QUIT));
    assert_eq!(termination::wait(None), Some(Left::Unlimited));
    assert_eq!(termination::signal(), Some(Signal::QUIT));
    assert_eq!(other.join().unwrap(), Ok(()));
}
