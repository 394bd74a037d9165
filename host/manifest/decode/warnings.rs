//! The fields without effect, one warning for each kind of field.

use std::collections::HashMap;

use super::Text;
use crate::reader::{Node, location_of};
use crate::report::{ObjectName, Warning};
use crate::support::Ignored;

/// The warnings of a reading, in the order of their first places.
#[derive(Default)]
pub(super) struct Warnings {
    list: Vec<Warning>,
    rows: HashMap<(&'static str, &'static str), usize>,
}

impl Warnings {
    pub(super) fn add(
        &mut self,
        text: &Text<'_>,
        document: &Node,
        object: &ObjectName,
        field: &Ignored,
    ) {
        if let Some(warning) = self
            .rows
            .get(&field.row)
            .and_then(|index| self.list.get_mut(*index))
        {
            warning.count += 1;
            return;
        }
        let place = location_of(document, field.path.segments(), true);
        self.rows.insert(field.row, self.list.len());
        self.list.push(Warning {
            object: object.clone(),
            location: Some(text.location(place)),
            path: field.path.to_string(),
            reason: field.reason.to_owned(),
            count: 1,
        });
    }

    pub(super) fn finish(self) -> Vec<Warning> {
        self.list
    }
}
