//! The table of events at the end of a description.

use serde_json::Value;
use wasmpod::k8s::Event;

use super::View;
use super::fields::NONE;
use crate::age;
use crate::tabs::Tabs;

pub(super) fn describe(out: &mut Tabs, events: &[Value], view: &View) {
    let mut events: Vec<Event> = events
        .iter()
        .filter_map(|event| serde_json::from_value(event.clone()).ok())
        .collect();
    if events.is_empty() {
        return out.field(0, "Events", NONE);
    }
    out.flush();
    // Times are in seconds: what happened within one is in the order of the store.
    events.sort_by_key(|event| {
        let version = event.metadata.resource_version.as_deref();
        let version = version.and_then(|version| version.parse::<u64>().ok());
        (event.last_timestamp.as_ref().map(|time| time.0), version)
    });
    out.line(0, "Events:");
    out.line(1, "Type\tReason\tAge\tFrom\tMessage");
    out.line(1, "----\t------\t----\t----\t-------");
    for event in &events {
        let source = event
            .source
            .as_ref()
            .and_then(|source| source.component.clone());
        let from = source
            .filter(|component| !component.is_empty())
            .or_else(|| event.reporting_component.clone())
            .unwrap_or_default();
        out.line(
            1,
            format!(
                "{}\t{}\t{}\t{from}\t{}",
                event.type_.as_deref().unwrap_or_default(),
                event.reason.as_deref().unwrap_or_default(),
                interval(event, view),
                event.message.as_deref().unwrap_or_default().trim(),
            ),
        );
    }
}

/// How long ago it was last, and how often since when: `5s (x3 over 1m)`.
pub(crate) fn interval(event: &Event, view: &View) -> String {
    let time = |time: &Option<wasmpod::k8s::Time>| time.as_ref().map(|time| time.0);
    let micro = event.event_time.as_ref().map(|time| time.0);
    let first = time(&event.first_timestamp).or(micro);
    if let Some(series) = &event.series {
        let last = series.last_observed_time.as_ref().map(|time| time.0);
        return format!(
            "{} (x{} over {})",
            age::since(last, view.now),
            series.count.unwrap_or(1),
            age::since(first, view.now)
        );
    }
    let last = age::since(time(&event.last_timestamp).or(first), view.now);
    match event.count {
        Some(count) if count > 1 => {
            format!("{last} (x{count} over {})", age::since(first, view.now))
        }
        _ => last,
    }
}
