//! The rules of jobs and cron jobs.

mod cron_job;
mod failure_policy;
mod job;
mod success_policy;

pub(super) use cron_job::cron_job;
pub(super) use job::job;
