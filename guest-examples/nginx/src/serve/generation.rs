//! One configuration as it is being served, and what is counted under it.
//!
//! A reload begins a new one. Requests that are under way keep theirs, so that what they refer to by number stays what
//! it was.

use std::cell::RefCell;
use std::rc::Rc;

use super::balance::Balancer;
use crate::config::model::{Config, Listen};

/// A configuration that is served.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) config: Rc<Config>,
    pub(super) balancers: RefCell<Vec<Balancer>>,
    /// The configuration's addresses by the numbers of the loop's listeners.
    slots: Vec<Option<usize>>,
}

impl Generation {
    /// The first one: listeners have the numbers of the configuration's addresses.
    pub(super) fn first(config: Rc<Config>) -> Self {
        let slots = (0..config.listens.len()).map(Some).collect();
        Self::new(config, slots)
    }

    pub(super) fn new(config: Rc<Config>, slots: Vec<Option<usize>>) -> Self {
        let balancers = config.upstreams.iter().map(Balancer::new).collect();
        Self {
            config,
            balancers: RefCell::new(balancers),
            slots,
        }
    }

    /// Which of the configuration's addresses a listener is.
    pub(super) fn listen_index(&self, listener: usize) -> Option<usize> {
        *self.slots.get(listener)?
    }

    /// The address of a listener; `None` when this configuration does not have it any more.
    pub(super) fn listen(&self, listener: usize) -> Option<&Listen> {
        self.config.listens.get(self.listen_index(listener)?)
    }
}
